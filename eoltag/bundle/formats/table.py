"""Tables: tab-separated as EOL writes its breakdowns, or CSV, with the URL column under one of its known names.

Below the header a line that begins with `#` is a row where it holds fields, and a comment where it does not.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from eoltag.bundle.formats.columns import (
    ABSENT,
    IDENTIFIER,
    PROBED_ROWS,
    URL_START,
    WANTED,
    choose_columns,
    place_of,
    url_place,
)
from eoltag.bundle.formats.content import BundleFormat, Columned, Sample, Tally, Text
from eoltag.bundle.formats.text import MAX_LINE_BYTES, from_first_entry, is_markup, short, trimmed
from eoltag.errors import BundleError, NoListError
from eoltag.records import ImageRef

csv.field_size_limit(MAX_LINE_BYTES)  # of the whole process; Python's own, 131,072 letters, is less than some pages


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the lines of a table fall into fields."""

    delimiter: Literal["\t", ",", ";"]
    is_quoted: bool
    """By RFC 4180; EOL writes values raw, and an unbalanced quote must not swallow the rows below it."""
    is_spaced: bool = False
    """Blanks after a delimiter are no part of the value, nor of what stands before a quote."""


@dataclass(frozen=True, slots=True)
class Table(Columned):
    """A text file of rows below a header."""

    encoding: str
    dialect: Dialect

    def rows(self, further: Sequence[str], tally: Tally) -> Iterator[ImageRef]:
        """Every row, whatever it holds. Raises BundleError where CSV quoting is broken."""
        places = self.chosen.places_of(further)
        url, identifier, version, ancestry = self.chosen.places
        with self.source.lines(self.encoding) as lines:
            records = _records(
                lines,
                self.dialect,
                max(*self.chosen.places, *places),
                len(self.columns) == 1,
                self.source.label,
                tally,
            )
            for row, fields in enumerate(records, 1):
                yield ImageRef(
                    row,
                    trimmed(fields[url]) or None,
                    fields[identifier] or None,
                    fields[version] or None,
                    fields[ancestry] or None,
                    tuple([fields[place] or None for place in places]) if places else (),
                )


def recognise(sample: Sample) -> Table | None:
    """A text whose first line names columns. Raises BundleError where none of several columns holds URLs."""
    text, source = sample.text, sample.source
    if is_markup(text.first) or (URL_START.match(text.first) and "\t" not in text.first.strip()):
        return None
    dialect = _dialect(text, sample.url_column)
    header = _header(text, dialect)
    if sample.url_column is None and not _has_known(header, None):
        if len(header) == 1:
            return None
        if any(URL_START.match(cell) for cell in header):
            raise NoListError(
                f"{source.label}: the first line already holds a URL among other fields "
                f"({short(text.first.strip())}); {WANTED} named in a header line"
            )

    def values_at(place: int) -> list[str]:
        with source.lines(text.encoding) as lines:
            records = _records(lines, dialect, place, len(header) == 1, source.label, Tally())
            return [record[place] for record in islice(records, PROBED_ROWS)]

    columns, notes = choose_columns(header, values_at, source.label, sample.url_column)
    table = Table(source, columns, (*text.notes, *notes), text.encoding, dialect)
    if dialect.is_quoted:
        for _ in table.rows((), Tally()):  # a quote that never closes shows only at the end
            pass
    return table


FORMAT: Final = BundleFormat("table", recognise)


def _dialect(text: Text, wanted: str | None) -> Dialect:
    """The first that finds a column that may hold URLs; comma-separated where none does."""
    if "\t" in text.first:
        return Dialect("\t", _is_quoted(text, wanted))
    for delimiter in (";", ","):
        dialect = Dialect(delimiter, is_quoted=True, is_spaced=f"{delimiter} " in text.first)
        if delimiter == "," or _has_known(_header(text, dialect), wanted):
            break
    return dialect


def _has_known(header: Sequence[str], wanted: str | None) -> bool:
    return url_place(header, wanted) != ABSENT or place_of(IDENTIFIER, header) != ABSENT


def _is_quoted(text: Text, wanted: str | None) -> bool:
    """Whether the columns of a tab-separated table, or its URLs, stand in quotes."""
    header = [cell.strip() for cell in text.first.split("\t")]
    if any(_QUOTED.fullmatch(cell) for cell in header):
        return True
    place = url_place(header, wanted)
    rows = [line.rstrip("\r\n").split("\t") for line in text.following]
    values = [row[place] for row in rows if len(row) > place and row[place]] if place != ABSENT else []
    return bool(values) and all(_QUOTED.fullmatch(value) for value in values)


_QUOTED: Final = re.compile(r'".+"')


def _header(text: Text, dialect: Dialect) -> list[str]:
    """The fields of the first line; of a CSV whose header holds quoted line breaks, of several."""
    if not dialect.is_quoted:
        return [trimmed(cell) for cell in text.first.split(dialect.delimiter)]
    for lines, is_strict in (([text.first, *text.following], True), ([text.first.strip()], False)):
        with suppress(csv.Error):
            return [trimmed(cell) for cell in next(_reader(lines, dialect, is_strict=is_strict))]
    return [text.first.strip()]


def _reader(lines: Iterable[str], dialect: Dialect, *, is_strict: bool) -> Iterator[list[str]]:
    return csv.reader(lines, strict=is_strict, delimiter=dialect.delimiter, skipinitialspace=dialect.is_spaced)


def _records(
    lines: Iterable[str], dialect: Dialect, last: int, is_single: bool, label: str, tally: Tally
) -> Iterator[list[str]]:
    """The fields of every row below the header, up to the place `last`, then an empty one: that of ABSENT.

    is_single: the table has one column, so that a comma that no quote protects belongs to the URL.
    """
    before, entries = from_first_entry(lines)
    tally.skipped += before
    used = last + 1
    is_quoted = dialect.is_quoted
    records = _quoted(entries, before, label, tally, dialect) if is_quoted else _raw(entries, used, tally)
    next(records, None)
    padding = [""] * (used + 1)
    for fields in records:
        cells = [dialect.delimiter.join(fields)] if is_single else fields
        cells[used:] = padding[min(len(cells), used) :]
        yield cells


def _raw(lines: Iterable[str], used: int, tally: Tally) -> Iterator[list[str]]:
    """Tab-separated without quoting."""
    for line in lines:
        text = line.removesuffix("\n").removesuffix("\r")
        if not text or (text[0] == "#" and "\t" not in text):
            tally.skipped += 1
        else:
            yield text.split("\t", used)


def _quoted(lines: Iterable[str], before: int, label: str, tally: Tally, dialect: Dialect) -> Iterator[list[str]]:
    """RFC 4180, strictly: what a stray quote would swallow is an error, not a shorter table."""
    begun = 0

    def of_records() -> Iterator[str]:
        """Without blank lines and comments, which exist only between records."""
        nonlocal begun
        for number, line in enumerate(lines, before + 1):
            if not begun:
                if (line[0] == "#" and dialect.delimiter not in line) or not line.rstrip("\r\n"):
                    tally.skipped += 1
                    continue
                begun = number
            yield line

    try:
        for record in _reader(of_records(), dialect, is_strict=True):
            begun = 0
            yield record
    except csv.Error as problem:
        text = str(problem)
        is_open = "end of data" in text
        wrong = "opens a quote that never closes" if is_open else f"is not valid CSV ({text})"
        raise BundleError(f"{label}: the record that begins in line {begun} {wrong}") from problem
