"""Which rows of the bundles a run takes. Imports nothing heavy: the command line is read before Java has started."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from eoltag.records import ImageRef


@dataclass(frozen=True, slots=True)
class Taking:
    """Which rows of the bundles are taken, and from which column their URLs."""

    url_column: str | None = None
    """None: the first known one."""
    first_row: int = 1
    last_row: int | None = None
    """Of each bundle, both included."""
    limit: int | None = None
    """Of all bundles together."""

    @property
    def is_part(self) -> bool:
        """Some rows may be left out."""
        return self.first_row > 1 or self.last_row is not None or self.limit is not None

    def of(self, rows: Iterator[ImageRef]) -> Iterator[ImageRef]:
        """Those of one bundle."""
        last = self.last_row
        until = rows if last is None else takewhile(lambda row: row.bundle_row <= last, rows)
        return (row for row in until if row.bundle_row >= self.first_row)


EVERYTHING: Final = Taking()
"""All rows, and the first known column of URLs."""
