"""EOL's lists of images, in every form they come in, as rows.

A bundle is a breakdown (a tab-separated table), a plain list (one URL a line), or a CSV or TSV with a known URL column;
as it is, gzipped or zipped; in UTF-8, UTF-16 or latin1. Which of these is told by its content, not by its name.
bundle_text turns the file into lines, bundle_layout turns lines into rows; both stream.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from eoltag.bundle.layout import Layout, Tally, find_layout, read_rows
from eoltag.bundle.text import Source, find_encoding, find_sources, short
from eoltag.errors import BundleError
from eoltag.records import ImageRef

__all__ = ["Bundle", "Tally", "bundle_name", "expand_ranges", "open_bundles", "sibling_of"]

MAX_EXPANDED: Final = 100_000

_RANGE: Final = re.compile(r"\{([0-9]+)\.\.([0-9]+)\}")
_MAX_DIGITS: Final = 18
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SUFFIXES: Final = ((".gz", ".zip"), (".txt", ".tsv", ".csv"))
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]")
_MAX_NAME: Final = 200
"""Leaves room for a suffix in the 255 bytes that file systems allow."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One list of images. Holds no rows and no open file: plain values that can be pickled, and read many times."""

    name: str
    """Names the files made from it."""
    origin: str
    """What the user typed."""
    encoding: str
    """Python's name of it: utf-8, utf-8-sig, utf-16 or latin1."""
    notes: tuple[str, ...]
    """Sentences for the user on what was decided and may surprise; without the origin."""
    source: Source
    shape: Layout

    @property
    def layout(self) -> Literal["list", "table"]:
        """list: one URL a line; table: columns found by name."""
        return "table" if self.shape.delimiter else "list"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns used, as the file spells them, the URL's first; empty for a plain list."""
        return self.shape.columns

    def rows(self, tally: Tally | None = None) -> Iterator[ImageRef]:
        """Every row from the first on, read from the file anew.

        tally: counts the blank lines and comments that were skipped so far; complete once the rows are.
        Raises BundleError where the file has changed or gone since it was opened.
        """
        with self.source.lines(self.encoding) as lines:
            yield from read_rows(lines, self.shape, self.source.label, Tally() if tally is None else tally)


def open_bundles(path: Path, origin: str) -> list[Bundle]:
    """The bundles in a local file: one, or one for each list in a zip, in the zip's order.

    origin: what the user typed; it is named in messages, and names the bundle unless a zip holds several.
    It is read through once (a CSV twice), so that what is broken stops a run before it starts. Raises BundleError.
    """
    sources, left_out = find_sources(path, origin)
    bundles = []
    for source in sources:
        encoding, alien = find_encoding(source)
        shape, notes = find_layout(source, encoding)
        found = [alien, *notes] if alien else notes
        if source.member:
            found = [f"member {short(source.member)}: {note}" for note in found]
        name = bundle_name(source.member if len(sources) > 1 else origin)
        bundle = Bundle(name, origin, encoding, (*left_out, *found), source, shape)
        _require_rows(bundle)
        bundles.append(bundle)
        left_out = []
    return bundles


def expand_ranges(text: str) -> list[str]:
    """`x_{01..31}` as 31 texts, zeros kept as the shell keeps them; several ranges multiply, the last varies fastest.

    Raises BundleError for a range that runs backwards, or more than MAX_EXPANDED texts.
    """
    literals = _RANGE.split(text)[::3]
    ranges = [_numbers(found, text) for found in _RANGE.finditer(text)]
    count = prod(len(numbers) for numbers, _ in ranges)
    if count > MAX_EXPANDED:
        raise BundleError(f"{text}: wanted at most {MAX_EXPANDED:,} names; came ranges for {count:,}")
    spelled = [[f"{number:0{width}d}" for number in numbers] for numbers, width in ranges]
    return [
        literals[0] + "".join(part for pair in zip(combination, literals[1:], strict=True) for part in pair)
        for combination in product(*spelled)
    ]


def bundle_name(origin: str) -> str:
    """The last part of a path or URL, without .gz or .zip and then .txt, .tsv or .csv, safe as a file name."""
    path = origin
    if scheme := _SCHEME.match(origin):
        path = unquote(re.split(r"[?#]", origin[scheme.end() :], maxsplit=1)[0])
    name = path.rstrip("/").rpartition("/")[2]
    for suffixes in _SUFFIXES:
        for suffix in suffixes:
            if name.lower().endswith(suffix):
                name = name[: -len(suffix)]
                break
    name = _NOT_IN_NAMES.sub("_", name)[:_MAX_NAME]
    return name if name.strip(".") else "bundle"


def sibling_of(name: str) -> str | None:
    """The breakdown with the same rows in the same order, for the name of a download list; else None."""
    sibling = name.replace("_breakdown_download_", "_breakdown_")
    return sibling if sibling != name else None


def _numbers(found: re.Match[str], text: str) -> tuple[range, int]:
    """The numbers of one {first..last}, and the digits they are padded to."""
    first, last = found.groups()
    if max(len(first), len(last)) > _MAX_DIGITS:
        raise BundleError(f"{short(text)}: wanted a range of numbers of up to {_MAX_DIGITS} digits")
    if int(first) > int(last):
        raise BundleError(f"{text}: wanted a range that runs upwards; came {found.group()}")
    is_padded = any(end.startswith("0") and len(end) > 1 for end in (first, last))
    return range(int(first), int(last) + 1), max(len(first), len(last)) if is_padded else 0


def _require_rows(bundle: Bundle) -> None:
    rows = bundle.rows()
    if next(rows, None) is None:
        raise BundleError(f"{bundle.source.label}: wanted rows below the header; came none")
    if bundle.shape.delimiter == ",":
        for _ in rows:  # a quote that never closes shows only at the end
            pass
