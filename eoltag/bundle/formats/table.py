"""Tables: tab-separated as EOL writes its breakdowns, or CSV, with the URL column under one of its known names."""

import csv
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
from eoltag.bundle.formats.text import from_first_entry, is_markup, short
from eoltag.errors import BundleError
from eoltag.records import ImageRef

Delimiter = Literal["\t", ","]


@dataclass(frozen=True, slots=True)
class Table(Columned):
    """A text file of rows below a header."""

    encoding: str
    delimiter: Delimiter

    def rows(self, further: Sequence[str], tally: Tally) -> Iterator[ImageRef]:
        """Every row, whatever it holds. Raises BundleError where CSV quoting is broken."""
        places = self.chosen.places_of(further)
        url, identifier, version, ancestry = self.chosen.places
        with self.source.lines(self.encoding) as lines:
            records = _records(
                lines,
                self.delimiter,
                max(*self.chosen.places, *places),
                len(self.columns) == 1,
                self.source.label,
                tally,
            )
            for row, fields in enumerate(records, 1):
                yield ImageRef(
                    row,
                    fields[url].strip() or None,
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
    delimiter: Delimiter = "\t" if "\t" in text.first else ","
    header = _header(text, delimiter)
    if url_place(header) == ABSENT and place_of(IDENTIFIER, header) == ABSENT:
        if len(header) == 1:
            return None
        if any(URL_START.match(cell) for cell in header):
            raise BundleError(
                f"{source.label}: the first line already holds a URL among other fields "
                f"({short(text.first.strip())}); {WANTED} named in a header line"
            )

    def values_at(place: int) -> list[str]:
        with source.lines(text.encoding) as lines:
            records = _records(lines, delimiter, place, len(header) == 1, source.label, Tally())
            return [record[place] for record in islice(records, PROBED_ROWS)]

    columns, notes = choose_columns(header, values_at, source.label)
    table = Table(source, columns, (*text.notes, *notes), text.encoding, delimiter)
    if delimiter == ",":
        for _ in table.rows((), Tally()):  # a quote that never closes shows only at the end
            pass
    return table


FORMAT: Final = BundleFormat("table", recognise)


def _header(text: Text, delimiter: Delimiter) -> list[str]:
    """The fields of the first line; of a CSV whose header holds quoted line breaks, of several."""
    if delimiter == "\t":
        return [cell.strip() for cell in text.first.split("\t")]
    for lines, is_strict in (([text.first, *text.following], True), ([text.first.strip()], False)):
        with suppress(csv.Error):
            return [cell.strip() for cell in next(csv.reader(lines, strict=is_strict))]
    return [text.first.strip()]


def _records(
    lines: Iterable[str], delimiter: Delimiter, last: int, is_single: bool, label: str, tally: Tally
) -> Iterator[list[str]]:
    """The fields of every row below the header, up to the place `last`, then an empty one: that of ABSENT.

    is_single: the table has one column, so that a comma that no quote protects belongs to the URL.
    """
    before, entries = from_first_entry(lines)
    tally.skipped += before
    used = last + 1
    if delimiter == "\t":
        records = _tab_separated(entries, used, tally)
    else:
        records = _comma_separated(entries, before, label, tally)
    next(records, None)
    padding = [""] * (used + 1)
    for fields in records:
        cells = [",".join(fields)] if is_single else fields
        cells[used:] = padding[min(len(cells), used) :]
        yield cells


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
