"""What became of each URL of a list, in its order: for a caller who puts the answers beside its own rows."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from eoltag.image.careful import Decode
from eoltag.pipeline.computing import Computer
from eoltag.pipeline.partition import Job, tag_images
from eoltag.pipeline.rows import ImageRow, MeasureRow, Row, ScoreRow
from eoltag.records import FetchRequest, Outcome, Scores, WantedImage

Given = Scores | float
"""The raw scores (C,) of a model, or the value of a measure."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one URL, and what was found out of its picture."""

    image: ImageRow
    given: dict[str, Given]
    """By model version or name of a measure; all of them where the outcome is ok, else none."""


def answers_in_order(
    urls: Iterable[str | None], job: Job, *, rate_share: float, decode: Decode, computer: Computer | None = None
) -> Iterator[Answer]:
    """One answer for each URL, in the order of `urls`; a URL that comes again is not fetched again.

    What is kept until the end is the answer for each URL and content: about half a KB, and no picture.
    rate_share, decode, computer: see partition.tag_images.
    """
    book = _Book(frozenset((*job.models.sources, *job.measures)))
    for item, row in tag_images(book.new_ones(urls), job, rate_share=rate_share, decode=decode, computer=computer):
        book.note(item, row)
        yield from book.ready()
    yield from book.ready(is_over=True)


@dataclass(slots=True)
class _Book:
    """Who waits for an answer, and what is known so far."""

    wanted: frozenset[str]
    """Model versions and measures."""
    waiting: deque[str | None] = field(default_factory=deque)
    asked: set[str | None] = field(default_factory=set)
    images: dict[str | None, ImageRow] = field(default_factory=dict)
    given: dict[str | None, dict[str, Given]] = field(default_factory=dict)
    """By content."""

    def new_ones(self, urls: Iterable[str | None]) -> Iterator[WantedImage]:
        """Those that were not asked for before."""
        for url in urls:
            self.waiting.append(url)
            if url not in self.asked:
                self.asked.add(url)
                yield WantedImage(FetchRequest(url))

    def note(self, item: WantedImage | None, row: Row) -> None:
        """A row that the pipeline has found out."""
        if isinstance(row, ImageRow):
            assert item is not None
            self.images[item.url] = row
        elif isinstance(row, ScoreRow):
            self.given.setdefault(row.content_sha256, {})[row.model_version] = row.scores
        elif isinstance(row, MeasureRow):
            self.given.setdefault(row.content_sha256, {})[row.name] = row.value

    def ready(self, *, is_over: bool = False) -> Iterator[Answer]:
        """The answers that can be handed out. is_over: nothing more will be found out."""
        while self.waiting and (answer := self._answer(self.waiting[0], is_over=is_over)) is not None:
            self.waiting.popleft()
            yield answer

    def _answer(self, url: str | None, *, is_over: bool) -> Answer | None:
        image = self.images.get(url)
        if image is None or image.outcome != Outcome.OK:
            return None if image is None else Answer(image, {})
        given = self.given.get(image.content_sha256, {})
        if given.keys() >= self.wanted:
            return Answer(image, given)
        return Answer(_unread(image), {}) if is_over else None


def _unread(image: ImageRow) -> ImageRow:
    """The same bytes came from another URL before, and could not be decoded then, as when that took too long."""
    return image._replace(outcome=str(Outcome.UNDECODABLE), detail="the same file, under another URL, was not decoded")
