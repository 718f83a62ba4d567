"""Which images stand for a tag: most sure, least sure, nearest to where a rule cuts, and a draw."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final
from urllib.parse import urlsplit

from eoltag.errors import BadUrl
from eoltag.fetch.urls import check_url
from eoltag.records import Cut
from eoltag.report.content import Found, TaskFacts

LINE: Final = 8
"""Images side by side on a wide screen; a strip is made of whole lines."""
MOST_LINES: Final = 3
WHOLE_LINES: Final = 2
"""A tag with no more images than these lines hold is shown whole."""
STRIPS: Final = 4
MOST_FAILURES: Final = 12
"""Of each outcome."""
LONGEST_LINK: Final = 2_000
"""A longer URL is shown but not linked."""

Pictures = Mapping[tuple[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Card:
    """One image on the page."""

    row: Found
    link: str | None
    """An http or https URL that may be followed; None for anything else."""
    picture: str | None
    """The thumbnail as a data URI."""
    note: str = ""
    """How far from a cut."""

    @property
    def name(self) -> str:
        """The end of the URL, for people."""
        path = (self.row.url or "").partition("?")[0].rstrip("/")
        return path.rpartition("/")[2][-60:] or (self.row.url or "no URL")[:60]

    @property
    def alt(self) -> str:
        """What stands for the picture where it cannot be seen."""
        sure = "" if self.row.confidence is None else f", {self.row.confidence:.0%} sure"
        return f"{self.row.label}{sure}: {self.name}"


@dataclass(frozen=True, slots=True)
class Strip:
    """Some images of a tag."""

    key: str
    title: str
    cards: list[Card]
    is_pictured_only: bool = False
    """Chosen among the images with a thumbnail, since most of the others' choice had none."""


def link_of(url: str | None) -> str | None:
    """Only what a browser may safely be sent to: http or https, a plain host, nobody's password."""
    try:
        link = check_url(url)
    except BadUrl:
        return None
    return None if len(link) > LONGEST_LINK or "@" in urlsplit(link).netloc else link


def strip_length(pictures: int, tags: int) -> int:
    """So that a task's thumbnails are about used up by the strips of its tags."""
    lines = round(pictures / max(1, tags * STRIPS) / LINE)
    return LINE * max(1, min(MOST_LINES, lines))


def strips_of(
    rows: Sequence[Found], task: TaskFacts, pictures: Pictures, length: int, *, is_whole: bool = False
) -> list[Strip]:
    """The strips of one tag. rows: images that have it, in any order; each image is taken once.

    is_whole: they are all that there are; few enough then stand in one strip instead of several that show the same.
    """
    each = list(
        {row.url: row for row in sorted(rows, key=lambda row: (row.order, row.bundle or "", row.bundle_row))}.values()
    )

    def sure(row: Found) -> tuple[float, float, str]:
        return (row.confidence or 0.0, row.logit or 0.0, row.order)

    if is_whole and 0 < len(each) <= WHOLE_LINES * LINE:
        return [
            Strip(
                "all",
                "All, the most confident first",
                _first(sorted(each, key=sure, reverse=True), pictures, len(each)),
            )
        ]
    choices: list[tuple[str, str, Callable[[Sequence[Found]], list[Card]]]] = [
        ("most", "Most confident", lambda some: _first(sorted(some, key=sure, reverse=True), pictures, length)),
        ("least", "Least confident", lambda some: _first(sorted(some, key=sure), pictures, length)),
        ("near", "Nearest a threshold", lambda some: _nearest(some, task, pictures, length)),
    ]
    strips = [_strip(key, title, choose, each, pictures) for key, title, choose in choices]
    strips.append(Strip("sample", "Random sample", _first(each, pictures, length)))
    return [strip for strip in strips if strip.cards]


def _strip(
    key: str, title: str, choose: Callable[[Sequence[Found]], list[Card]], rows: Sequence[Found], pictures: Pictures
) -> Strip:
    """Of all images; but where most of these have no thumbnail, of those that have one: it is there to be looked at."""
    cards = choose(rows)
    if 2 * sum(card.picture is not None for card in cards) < len(cards):
        pictured = choose([row for row in rows if (row.task, row.url) in pictures])
        if pictured:
            return Strip(key, title, pictured, is_pictured_only=True)
    return Strip(key, title, cards)


def _first(rows: Sequence[Found], pictures: Pictures, length: int) -> list[Card]:
    return [_card(row, pictures) for row in rows[:length]]


def failures_of(rows: Sequence[Found]) -> list[Card]:
    """Examples of images that failed in one way."""
    return [_card(row, {}) for row in sorted(rows, key=lambda row: row.order)[:MOST_FAILURES]]


def _nearest(rows: Sequence[Found], task: TaskFacts, pictures: Pictures, length: int) -> list[Card]:
    """From each cut in turn the nearest image on either side of it."""
    first = next(iter(task.models), "")
    cuts = [cut for cut in task.cuts if cut.model == first]
    queues = [_by_distance(rows, cut) for cut in cuts]
    taken: dict[str | None, Card] = {}
    for places in zip_longest(*queues):
        for cut, row in zip(cuts, places, strict=True):
            if row is not None and row.url not in taken and len(taken) < length:
                taken[row.url] = _card(row, pictures, _note(row, cut))
    return list(taken.values())


def _by_distance(rows: Sequence[Found], cut: Cut) -> list[Found]:
    score = _score_of(cut)
    near = [row for row in rows if cut.concerns(row.label) and score(row) is not None]
    return sorted(near, key=lambda row: (abs((score(row) or 0.0) - cut.value), row.order))


def _score_of(cut: Cut) -> Callable[[Found], float | None]:
    return lambda row: row.confidence if cut.measure == "confidence" else row.logit


def _note(row: Found, cut: Cut) -> str:
    gap = (_score_of(cut)(row) or 0.0) - cut.value
    return f"{abs(gap):.2g} {'above' if gap >= 0 else 'below'} {cut.measure} {cut.value:g}"


def _card(row: Found, pictures: Pictures, note: str = "") -> Card:
    jpeg = pictures.get((row.task, row.url or ""))
    picture = None if not jpeg else f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
    return Card(row, link_of(row.url), picture, note)
