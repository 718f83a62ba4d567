"""How the text of a bundle is cut into rows: which layout it has, and the rows themselves."""

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, Literal

from eoltag.bundle.text import Source, short
from eoltag.errors import BundleError
from eoltag.records import ImageRef

URL_COLUMNS: Final = ("eolMediaURL", "obj_url", "object_url", "image_url", "url")
"""In order of preference; `identifier` comes last, and only where its values are URLs."""
IDENTIFIER: Final = "identifier"
OTHER_COLUMNS: Final = (IDENTIFIER, "dataObjectVersionID", "ancestry")
"""What else an ImageRef takes from a table, in its order."""

PROBED_ROWS: Final = 100
"""Lines or rows that are looked at where the first does not settle it."""

ABSENT: Final = -1
"""The place of a column that the table lacks; every record ends with an empty field for it."""

Delimiter = Literal["", "\t", ","]

_URL_START: Final = re.compile(r"\s*https?://", re.IGNORECASE)
_MARKUP: Final = re.compile(r"<[a-z!?/]", re.IGNORECASE)
_NAMES_SHOWN: Final = 24
_WANTED: Final = f"wanted a URL column ({', '.join(URL_COLUMNS)}, or {IDENTIFIER} holding URLs)"


@dataclass(slots=True)
class Tally:
    """What Bundle.rows passed over so far."""

    skipped: int = 0
    """Blank lines and comments."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How lines become rows."""

    delimiter: Delimiter
    """Empty for a plain list."""
    columns: tuple[str, ...]
    """Those used, as the header writes them."""
    places: tuple[int, int, int, int]
    """Of URL, identifier, version and ancestry in a record, or ABSENT."""
    is_single: bool
    """One column only: a comma that no quote protects belongs to the URL."""


PLAIN_LIST: Final = Layout("", (), (0, ABSENT, ABSENT, ABSENT), True)


def find_layout(source: Source, encoding: str) -> tuple[Layout, list[str]]:
    """The layout of the text, and notes on what may surprise. Raises BundleError where it is none that is known."""
    first, following = _opening_lines(source, encoding)
    if _MARKUP.match(first.strip()):
        raise BundleError(
            f"{source.label}: wanted a list of image URLs; came a web page or XML, {short(first.strip())}"
        )
    delimiter: Delimiter = "\t" if "\t" in first else ","
    if _URL_START.match(first) and "\t" not in first.strip():
        return PLAIN_LIST, []
    header = _first_record(first, following, delimiter)
    names = [name.lower() for name in header]
    url_name = next((name.lower() for name in URL_COLUMNS if name.lower() in names), None)
    if url_name:
        return _table(delimiter, header, url_name), []
    if IDENTIFIER in names:
        layout = _table(delimiter, header, IDENTIFIER)
        return layout, [_require_urls(source, encoding, layout, header)]
    if len(header) > 1:
        if any(_URL_START.match(cell) for cell in header):
            raise BundleError(
                f"{source.label}: the first line already holds a URL among other fields ({short(first.strip())}); "
                f"{_WANTED} named in a header line"
            )
        raise BundleError(f"{source.label}: {_WANTED}; came the columns {_listed(header)}")
    if any(_URL_START.match(line) for line in following):
        return PLAIN_LIST, [f"the first line is no URL ({short(first.strip())}); it counts as row 1"]
    raise BundleError(f"{source.label}: wanted a list of image URLs; came text without any, {short(first.strip())}")


def read_rows(lines: Iterable[str], layout: Layout, label: str, tally: Tally) -> Iterator[ImageRef]:
    """Every row of the text, whatever it holds. Raises BundleError where CSV quoting is broken."""
    if not layout.delimiter:
        yield from _list_rows(lines, tally)
        return
    url, identifier, version, ancestry = layout.places
    for row, fields in enumerate(read_records(lines, layout, label, tally), 1):
        yield ImageRef(
            row,
            fields[url].strip() or None,
            fields[identifier] or None,
            fields[version] or None,
            fields[ancestry] or None,
        )


def read_records(lines: Iterable[str], layout: Layout, label: str, tally: Tally) -> Iterator[list[str]]:
    """The fields of every row of a table, without the header: up to the last that is used, then an empty one."""
    before, from_header = _from_header(lines)
    tally.skipped += before
    used = max(layout.places) + 1
    if layout.delimiter == "\t":
        records = _tab_separated(from_header, used, tally)
    else:
        records = _comma_separated(from_header, before, label, tally)
    next(records, None)
    padding = [""] * (used + 1)
    for fields in records:
        cells = [",".join(fields)] if layout.is_single else fields
        cells[used:] = padding[min(len(cells), used) :]
        yield cells


def _list_rows(lines: Iterable[str], tally: Tally) -> Iterator[ImageRef]:
    row = 0
    for line in lines:
        url = line.strip()
        if not url or url[0] == "#":
            tally.skipped += 1
        else:
            row += 1
            yield ImageRef(row, url)


def _from_header(lines: Iterable[str]) -> tuple[int, Iterator[str]]:
    """The text from its first line that says something, and how many came before it."""
    remaining = iter(lines)
    for before, line in enumerate(remaining):
        text = line.strip()
        if text and text[0] != "#":
            return before, chain([line], remaining)
    return 0, iter(())


def _tab_separated(lines: Iterable[str], used: int, tally: Tally) -> Iterator[list[str]]:
    """No quoting: EOL writes values raw, and an unbalanced quote must not swallow the rows below it."""
    for line in lines:
        text = line.removesuffix("\n").removesuffix("\r")
        if not text or text[0] == "#":
            tally.skipped += 1
        else:
            yield text.split("\t", used)


def _comma_separated(lines: Iterable[str], before: int, label: str, tally: Tally) -> Iterator[list[str]]:
    """RFC 4180, strictly: what a stray quote would swallow is an error, not a shorter table."""
    begun = 0

    def of_records() -> Iterator[str]:
        """Without blank lines and comments, which exist only between records."""
        nonlocal begun
        for number, line in enumerate(lines, before + 1):
            if not begun:
                if line[0] == "#" or not line.rstrip("\r\n"):
                    tally.skipped += 1
                    continue
                begun = number
            yield line

    try:
        for record in csv.reader(of_records(), strict=True):
            begun = 0
            yield record
    except csv.Error as problem:
        text = str(problem)
        is_open = "end of data" in text or "field limit" in text
        wrong = "opens a quote that never closes" if is_open else f"is not valid CSV ({text})"
        raise BundleError(f"{label}: the record that begins in line {begun} {wrong}") from problem


def _opening_lines(source: Source, encoding: str) -> tuple[str, list[str]]:
    """The first line that says something, and those after it that may settle what it is."""
    with source.lines(encoding) as lines:
        _, from_header = _from_header(lines)
        opening = list(islice(from_header, PROBED_ROWS + 1))
    if not opening:
        raise BundleError(f"{source.label}: wanted a list of image URLs; came no rows, only blank lines or comments")
    return opening[0], opening[1:]


def _first_record(first: str, following: list[str], delimiter: Delimiter) -> list[str]:
    """The fields of the first line; of a CSV whose header holds quoted line breaks, of several."""
    if delimiter == "\t":
        return [cell.strip() for cell in first.split("\t")]
    for lines, is_strict in (([first, *following], True), ([first.strip()], False)):
        with suppress(csv.Error):
            return [cell.strip() for cell in next(csv.reader(lines, strict=is_strict))]
    return [first.strip()]


def _table(delimiter: Delimiter, header: list[str], url_name: str) -> Layout:
    names = [name.lower() for name in header]
    wanted = (url_name, *("" if name == url_name else name.lower() for name in OTHER_COLUMNS))
    url, identifier, version, ancestry = (names.index(name) if name and name in names else ABSENT for name in wanted)
    places = (url, identifier, version, ancestry)
    return Layout(delimiter, tuple(header[place] for place in places if place != ABSENT), places, len(header) == 1)


def _require_urls(source: Source, encoding: str, layout: Layout, header: list[str]) -> str:
    """The note that `identifier` is the URL column. Raises BundleError where few of its values are URLs."""
    with source.lines(encoding) as lines:
        records = islice(read_records(lines, layout, source.label, Tally()), PROBED_ROWS)
        values = [value for record in records if (value := record[layout.places[0]].strip())]
    urls = [value for value in values if _URL_START.match(value)]
    if 2 * len(urls) <= len(values):
        seen = f"; {IDENTIFIER} holds {short(values[0])}" if values else ""
        raise BundleError(f"{source.label}: {_WANTED}; came the columns {_listed(header)}{seen}")
    return f"column {IDENTIFIER} is taken for the image URL, since its values are URLs"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(short(name) for name in names[:_NAMES_SHOWN]) + more
