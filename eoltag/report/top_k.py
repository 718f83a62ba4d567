"""Which images the report shows small: for every label of a task the top K of several groups.

The groups hold the images of which the model is most and least sure, those nearest to where a rule cuts, and a seeded
sample. A top K by a score merges: those of single Spark tasks give that of the run, whatever task saw which image. What
a Spark task keeps is bounded, in number and in bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappush, heappushpop
from itertools import count
from math import ceil
from typing import Final, Generic, NamedTuple, TypeVar

from eoltag.records import Cut, ModelSlot
from eoltag.report.thumbnails import Picture

HELD_BYTES: Final = 40_000_000
"""Pixels of candidates that wait for the end of a Spark task: most of these are beaten by then and never encoded. 200
thumbnails of a model that sees 224 x 224 pixels take 30 MB."""

T = TypeVar("T")

Score = tuple[bool, float, float, str]
"""Whether the current model version gave it, the score, a finer one, and a hash of the URL, which breaks ties."""


@dataclass(frozen=True, slots=True)
class ThumbnailPlan:
    """What is kept for one task. Only its first model is looked at."""

    model: str
    version: str
    limit: int
    """Thumbnails, at most."""
    capacity: int
    """Thumbnails of each group."""
    cuts: tuple[Cut, ...] = ()


ThumbnailPlans = Mapping[str, ThumbnailPlan]
"""Task -> its plan."""


def plan_thumbnails(model: str, version: str, labels: int, cuts: Sequence[Cut], limit: int) -> ThumbnailPlan:
    """`limit` thumbnails, shared fairly among the groups of all labels. labels: how many the model knows.

    A group may hold twice its share, since an image often stands in several and some labels are rare.
    """
    mine = tuple(cut for cut in cuts if cut.model == model)
    groups = 4 * labels + sum(2 * (len(cut.labels) or labels) for cut in mine)
    return ThumbnailPlan(model, version, limit, ceil(2 * limit / max(1, groups)), mine)


def plans_for_part(plans: ThumbnailPlans, parts: int) -> ThumbnailPlans:
    """Smaller capacities for one of `parts` random parts of the images: the top K of all seldom lie in one of them."""
    return {
        task: replace(plan, capacity=min(plan.capacity, ceil(1.5 * plan.capacity / parts) + 1))
        for task, plan in plans.items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """One image of a task, and what the task's first model said of it."""

    task: str
    url: str
    model_version: str
    label: str
    confidence: float
    logit: float
    picture: Picture


class Place(NamedTuple):
    """A group in which an image competes."""

    group: str
    score: Score
    share: int = 1
    """The group's capacity, in multiples of the plan's."""


def places(plan: ThumbnailPlan, thumbnail: Thumbnail) -> list[Place]:
    """The groups of its label in which an image competes.

    The sample has twice the capacity: rules may give one label several tags, and each tag's gallery draws from it.
    """
    is_current = thumbnail.model_version == plan.version
    order, confidence, logit = sample_order(thumbnail.url), thumbnail.confidence, thumbnail.logit
    found = [
        Place("most", (is_current, confidence, logit, order)),
        Place("least", (is_current, -confidence, -logit, order)),
        Place("sample", (is_current, -float(int(order[:13], 16)), 0.0, order), share=2),
    ]
    for number, cut in enumerate(plan.cuts):
        if cut.concerns(thumbnail.label):
            gap = (confidence if cut.measure == "confidence" else logit) - cut.value
            side = "above" if gap >= 0 else "below"
            found.append(Place(f"{number} {side}", (is_current, -abs(gap), 0.0, order)))
    return found


def sample_order(url: str) -> str:
    """Hex digits of the MD5 of the URL: sorting by this draws at random, and the same in every run."""
    return hashlib.md5(url.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


class TopK(Generic[T]):
    """The items of the highest scores among those offered, at most `capacity` of them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._heap: list[tuple[Score, int, T]] = []
        self._serial = count()  # items need not be comparable

    def offer(self, score: Score, item: T) -> bool:
        """Whether the item is kept for now."""
        entry = (score, next(self._serial), item)
        if len(self._heap) < self.capacity:
            heappush(self._heap, entry)
            return True
        return heappushpop(self._heap, entry) is not entry

    def items(self) -> list[T]:
        """What is kept, the highest score first."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


class Scored(NamedTuple):
    """An image that a model has just scored."""

    url: str | None
    slots: Sequence[ModelSlot]
    label: str
    confidence: float
    logit: float
    picture: Picture
    """Its pixels may be overwritten when the image has been offered; those of a candidate are copied."""


class Collector:
    """The thumbnails of one Spark task: the top K of every group of every label."""

    def __init__(self, plans: ThumbnailPlans) -> None:
        self._plans = plans
        self._groups: dict[tuple[str, str, str], TopK[Thumbnail]] = {}
        """(task, label, group) -> candidates."""
        self._held_bytes = 0
        """Pixels copied since they were last counted, those of beaten candidates too."""

    def offer(self, batch: Iterable[Scored]) -> None:
        """Take the candidates among the images of a batch."""
        for image in batch:
            if image.url is None:
                continue
            is_kept = [self._offer(slot, image, image.url) for slot in image.slots]
            if any(is_kept):
                image.picture.pixels = image.picture.pixels.copy()
                self._held_bytes += image.picture.pixels.nbytes
        if self._held_bytes > HELD_BYTES:
            self._bound_memory()

    def _offer(self, slot: ModelSlot, image: Scored, url: str) -> bool:
        plan = self._plans.get(slot.task)
        if plan is None or plan.model != slot.model:
            return False
        said = (slot.version, image.label, image.confidence, image.logit)
        return self.add(Thumbnail(slot.task, url, *said, image.picture))

    def add(self, thumbnail: Thumbnail) -> bool:
        """Take a thumbnail if it is among the best of a group so far; whether it was taken."""
        plan = self._plans.get(thumbnail.task)
        if plan is None:
            return False
        is_kept = False
        for place in places(plan, thumbnail):
            key = (thumbnail.task, thumbnail.label, place.group)
            if key not in self._groups:
                self._groups[key] = TopK(plan.capacity * place.share)
            is_kept |= self._groups[key].offer(place.score, thumbnail)
        return is_kept

    def _bound_memory(self) -> None:
        """Encode all candidates where their pixels, which is what takes room, exceed HELD_BYTES."""
        held = {one.picture for top in self._groups.values() for one in top.items()}
        self._held_bytes = sum(picture.pixels.nbytes for picture in held)
        if self._held_bytes > HELD_BYTES:
            for picture in held:
                picture.encode()
            self._held_bytes = 0

    def thumbnails(self) -> list[Thumbnail]:
        """The best of every group first, within the limit of each task."""
        ranks: dict[tuple[str, str], int] = {}
        found: dict[tuple[str, str], Thumbnail] = {}
        for (task, _, _), top in self._groups.items():
            for place, one in enumerate(top.items()):
                key, rank = (task, one.url), place * self._plans[task].capacity // top.capacity
                ranks[key] = min(rank, ranks.get(key, rank))
                found[key] = one
        kept: list[Thumbnail] = []
        for task, plan in self._plans.items():
            mine = sorted((rank, sample_order(key[1]), key) for key, rank in ranks.items() if key[0] == task)
            kept += [found[key] for _, _, key in mine[: plan.limit]]
        return kept
