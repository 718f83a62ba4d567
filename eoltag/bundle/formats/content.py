"""What a bundle format is: it recognises a file by a sample of it, and then reads its rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple, Protocol

from eoltag.bundle.formats.columns import PROBED_ROWS, Columns
from eoltag.bundle.formats.text import HEAD_BYTES, Source, find_encoding, find_line_end, from_first_entry
from eoltag.errors import BundleError
from eoltag.records import ImageRef


@dataclass(slots=True)
class Tally:
    """Counts what reading the rows passed over so far."""

    skipped: int = 0
    """Blank lines and comments."""


class Content(Protocol):
    """The rows of one file whose format is known. Plain values: can be pickled, and read many times."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, as the file spells it; empty for a list of bare URLs."""

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that every row gives, the URL's first."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user on what was decided and may surprise."""

    def rows(self, further: Sequence[str], tally: Tally) -> Iterator[ImageRef]:
        """Every row from the first on, read anew, with the columns `further` names (in any case of letters) beside.

        Raises BundleError.
        """


class Text(NamedTuple):
    """The beginning of a text file."""

    encoding: str
    notes: tuple[str, ...]
    first: str
    """The first line that is neither blank nor a comment."""
    following: list[str]
    """The lines after it that may settle what it is."""


@dataclass(frozen=True, slots=True)
class Columned:
    """What a file with named columns gives beside its rows."""

    source: Source
    chosen: Columns
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns, as the file spells them."""
        return self.chosen.header

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that every row is asked for, the URL's first."""
        return self.chosen.used


class Sample:
    """The beginning of a file, for formats to recognise their own by."""

    def __init__(self, source: Source, url_column: str | None = None) -> None:
        self.source = source
        self.url_column = url_column
        """The name of the column that holds the URLs, where the user says it."""

    @cached_property
    def head(self) -> bytes:
        """The first bytes, unpacked."""
        with self.source.opened() as stream:
            return stream.read(HEAD_BYTES)

    @cached_property
    def text(self) -> Text:
        """The first lines; the whole file is checked to be text. Raises BundleError where it is not."""
        encoding, note = find_encoding(self.source)
        self.source = replace(self.source, line_end=find_line_end(self.head))
        with self.source.lines(encoding) as lines:
            _, entries = from_first_entry(lines)
            opening = list(islice(entries, PROBED_ROWS + 1))
        if not opening:
            label = self.source.label
            raise BundleError(f"{label}: wanted a list of image URLs; came no rows, only blank lines or comments")
        return Text(encoding, (note,) if note else (), opening[0], opening[1:])


@dataclass(frozen=True, slots=True)
class BundleFormat:
    """One way in which a file lists images."""

    name: str
    recognise: Callable[[Sample], Content | None]
    """The content of a file of this format; None for any other file. Raises BundleError where the file is of this
    format, but broken."""
