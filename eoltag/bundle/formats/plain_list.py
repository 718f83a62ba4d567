"""Plain lists: one URL a line. The first line may be something else, and then counts as a bad row."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from eoltag.bundle.formats.columns import URL_START
from eoltag.bundle.formats.content import BundleFormat, Sample, Tally
from eoltag.bundle.formats.text import Source, is_markup, short, trimmed
from eoltag.errors import BundleError
from eoltag.records import ImageRef

_URL_AND_FIELD: Final = re.compile(
    r"https?://\S+\.(?:jpe?g|png|gif|webp|tiff?|bmp)(?:[,;]|\s+)[^/?=&.%:,;]*", re.IGNORECASE
)
"""A URL that ends as a file name does, and then a few words: not the commas and blanks that a URL itself may hold."""


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
                url = trimmed(line)
                if not url or url[0] == "#":
                    tally.skipped += 1
                else:
                    row += 1
                    yield ImageRef(row, url, None, None, None, nothing)


def recognise(sample: Sample) -> PlainList | None:
    """A text whose first line is a URL, or some line soon after it."""
    text = sample.text
    if URL_START.match(text.first) and "\t" not in text.first.strip():
        _require_urls_alone([text.first, *text.following], sample.source)
        return PlainList(sample.source, text.encoding, text.notes)
    if is_markup(text.first) or not any(URL_START.match(line) for line in text.following):
        return None
    note = f"the first line is no URL ({short(text.first.strip())}); it counts as row 1"
    return PlainList(sample.source, text.encoding, (*text.notes, note))


def _require_urls_alone(lines: Sequence[str], source: Source) -> None:
    """Raises BundleError where every line holds a URL and another field, as tables without a header do."""
    entries = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if all(_URL_AND_FIELD.fullmatch(entry) for entry in entries):
        raise BundleError(
            f"{source.label}: wanted URLs alone, or a first line that names the columns, such as `url,label`; came a "
            f"URL and another field in every line, {short(entries[0])}"
        )


FORMAT: Final = BundleFormat("list", recognise)
