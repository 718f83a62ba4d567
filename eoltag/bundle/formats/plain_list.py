"""Plain lists: one URL a line. The first line may be something else, and then counts as a bad row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from eoltag.bundle.formats.columns import URL_START
from eoltag.bundle.formats.content import BundleFormat, Sample, Tally
from eoltag.bundle.formats.text import Source, is_markup, short
from eoltag.records import ImageRef


@dataclass(frozen=True, slots=True)
class PlainList:
    """A text file of URLs."""

    source: Source
    encoding: str
    notes: tuple[str, ...]
    columns: tuple[str, ...] = ()
    used: tuple[str, ...] = ()

    def rows(self, further: Sequence[str], tally: Tally) -> Iterator[ImageRef]:
        """A row for every line that is neither blank nor a comment; it has no further columns."""
        nothing = (None,) * len(further)
        row = 0
        with self.source.lines(self.encoding) as lines:
            for line in lines:
                url = line.strip()
                if not url or url[0] == "#":
                    tally.skipped += 1
                else:
                    row += 1
                    yield ImageRef(row, url, None, None, None, nothing)


def recognise(sample: Sample) -> PlainList | None:
    """A text whose first line is a URL, or some line soon after it."""
    text = sample.text
    if URL_START.match(text.first) and "\t" not in text.first.strip():
        return PlainList(sample.source, text.encoding, text.notes)
    if is_markup(text.first) or not any(URL_START.match(line) for line in text.following):
        return None
    note = f"the first line is no URL ({short(text.first.strip())}); it counts as row 1"
    return PlainList(sample.source, text.encoding, (*text.notes, note))


FORMAT: Final = BundleFormat("list", recognise)
