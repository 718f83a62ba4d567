"""Small pictures for the report, kept while the images are at hand: no second fetch, no second decode.

For every label of a task a shelf holds the images of which the model is most and least sure, those nearest to where a
rule cuts, and a seeded sample. Each of these is a "best K of all", so that the shelves of single Spark tasks can be
merged into that of the run, whatever saw which image. What a shelf holds is bounded, and so are its bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappush, heappushpop
from io import BytesIO
from math import ceil
from typing import Final, NamedTuple

from PIL import Image

from eoltag.records import Cut, Fit, ModelSlot, Pixels

SIDE_PX: Final = 160
"""Of the longer side, at most; a picture is never enlarged."""
QUALITIES: Final = (70, 45, 20)
"""Of the JPEG; the next one is taken where the file is larger than MOST_BYTES. 160 x 160 photos take 4.4 kB at 70."""
MOST_BYTES: Final = 6_000
HELD_BYTES: Final = 16_000_000
"""Pixels of images that may yet be bettered by others: encoding them all at once would take twice the time."""

_DRAW: Final = "sample"

Group = tuple[str, ...]
"""Task, label, and what is sought there."""
Goodness = tuple[bool, float, float, str]
"""Of the current model version? How good, then finer; the last decides between equals."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One image as a model saw it, and what the model said."""

    task: str
    url: str
    model_version: str
    label: str
    confidence: float
    logit: float
    jpeg: bytes = b""


@dataclass(frozen=True, slots=True)
class TaskShelf:
    """What is kept for one task. Only its first model is looked at."""

    model: str
    version: str
    limit: int
    """Thumbnails, at most."""
    depth: int
    """In each group."""
    cuts: tuple[Cut, ...] = ()


ShelfPlan = Mapping[str, TaskShelf]
"""By task."""


def shelf_for(model: str, version: str, labels: int, cuts: Sequence[Cut], limit: int) -> TaskShelf:
    """`limit` thumbnails, shared fairly among the groups of all labels. labels: how many the model knows.

    A group may hold twice its share, since an image often stands in several and some labels are rare.
    """
    mine = tuple(cut for cut in cuts if cut.model == model)
    groups = 4 * labels + sum(2 * (len(cut.labels) or labels) for cut in mine)
    return TaskShelf(model, version, limit, ceil(2 * limit / max(1, groups)), mine)


def thinned(plan: ShelfPlan, parts: int) -> ShelfPlan:
    """For one of `parts` random parts of the images: the best K of all seldom lie in one of them."""
    return {
        task: replace(shelf, depth=min(shelf.depth, ceil(1.5 * shelf.depth / parts) + 1))
        for task, shelf in plan.items()
    }


def sample_order(url: str) -> str:
    """Sorting by this draws at random, and the same in every run: hex digits of the MD5 of the URL."""
    return hashlib.md5(url.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Shelf:
    """The thumbnails that are worth keeping among those that were offered."""

    plan: ShelfPlan
    floors: Mapping[Group, Goodness] = field(default_factory=dict)
    """What is not better need not be offered: the worst that is kept in groups that are full elsewhere."""
    _best: dict[Group, list[tuple[Goodness, str]]] = field(default_factory=dict)
    _held: dict[tuple[str, str], Thumbnail] = field(default_factory=dict)
    _negatives: dict[str, "Negative"] = field(default_factory=dict)

    def offer(self, thumbnail: Thumbnail) -> bool:
        """Whether it is kept for now. One of the same task and URL is replaced."""
        key = (thumbnail.task, thumbnail.url)
        shelf = self.plan.get(thumbnail.task)
        if shelf is None or shelf.limit == 0:
            return False
        if key in self._held:
            self._forget(key)
        is_kept = False
        for group, goodness in _groups(thumbnail, shelf):
            if group in self.floors and goodness <= self.floors[group]:
                continue
            best = self._best.setdefault(group, [])
            entry = (goodness, thumbnail.url)
            if len(best) < shelf.depth * _room(group):
                heappush(best, entry)
                is_kept = True
            else:
                is_kept |= heappushpop(best, entry) is not entry
        if is_kept:
            self._held[key] = thumbnail
        return is_kept

    def hold(self, url: str, negative: "Negative") -> None:
        """The pixels of something that is kept; made into a picture when it surely stays, or when room is short."""
        self._negatives[url] = negative

    def tidy(self) -> None:
        """Drop what is kept no more; make pictures where the pixels take more than HELD_BYTES."""
        wanted = {(group[0], url) for group, best in self._best.items() for _, url in best}
        self._held = {key: held for key, held in self._held.items() if key in wanted}
        urls = {url for _, url in wanted}
        self._negatives = {url: negative for url, negative in self._negatives.items() if url in urls}
        if sum(negative.pixels.nbytes for negative in self._negatives.values()) > HELD_BYTES:
            self._develop()

    def _develop(self) -> None:
        for key, held in self._held.items():
            if not held.jpeg and key[1] in self._negatives:
                jpeg = encode(self._negatives[key[1]])
                for other in self.plan:  # tasks that share an image share the picture
                    if (other, key[1]) in self._held:
                        self._held[other, key[1]] = replace(self._held[other, key[1]], jpeg=jpeg)
        self._negatives = {}

    def kept(self) -> tuple[Thumbnail, ...]:
        """Within the limit of each task, the best of every group first; with pictures, sorted by task and URL."""
        self.tidy()
        self._develop()
        ranks: dict[tuple[str, str], int] = {}
        for group, best in self._best.items():
            for place, (_, url) in enumerate(sorted(best, reverse=True)):
                key = (group[0], url)
                rank = place // _room(group)
                ranks[key] = min(rank, ranks.get(key, rank))
        found: list[Thumbnail] = []
        for task, shelf in self.plan.items():
            mine = sorted((rank, sample_order(key[1]), key) for key, rank in ranks.items() if key[0] == task)
            found += [self._held[key] for _, _, key in mine[: shelf.limit]]
        return tuple(sorted(found, key=lambda kept: (kept.task, kept.url)))

    def full(self) -> dict[Group, Goodness]:
        """The floors for others: the worst goodness of each group that is full."""
        return {
            group: best[0][0]
            for group, best in self._best.items()
            if len(best) >= _room(group) * self.plan[group[0]].depth
        }

    def _forget(self, key: tuple[str, str]) -> None:
        for group, best in self._best.items():
            if group[0] == key[0] and any(url == key[1] for _, url in best):
                self._best[group] = sorted(entry for entry in best if entry[1] != key[1])  # sorted is a heap
        del self._held[key]


def merged(plan: ShelfPlan, *parts: Iterable[Thumbnail]) -> Shelf:
    """One shelf of several; of one image the later part's thumbnail stays."""
    shelf = Shelf(plan)
    latest = {(one.task, one.url): one for part in parts for one in part}
    for thumbnail in latest.values():
        shelf.offer(thumbnail)
    return shelf


class Seen(NamedTuple):
    """An image that a model has just scored, with the pixels that it saw."""

    url: str | None
    slots: Sequence[ModelSlot]
    label: str
    confidence: float
    logit: float
    pixels: Pixels
    """(H, W, 3); may be overwritten when `keep` has returned."""
    width: int
    height: int
    """Of the image as it stands upright."""


class Negative(NamedTuple):
    """What a thumbnail is made from."""

    pixels: Pixels
    """(H, W, 3), what the model saw."""
    width: int
    height: int
    """Of the image as it stands upright."""
    fit: Fit
    """How it became what the model saw."""


def keep(shelf: Shelf, batch: Iterable[Seen], fit: Fit) -> None:
    """Offer a batch to the shelf, which copies the pixels of those that it keeps for now."""
    is_changed = False
    for image in batch:
        for slot in image.slots:
            mine = shelf.plan.get(slot.task)
            if mine is None or image.url is None or mine.model != slot.model:
                continue
            thumbnail = Thumbnail(slot.task, image.url, slot.version, image.label, image.confidence, image.logit)
            if shelf.offer(thumbnail):
                shelf.hold(image.url, Negative(image.pixels.copy(), image.width, image.height, fit))
                is_changed = True
    if is_changed:
        shelf.tidy()


def encode(negative: Negative) -> bytes:
    """A JPEG of at most SIDE_PX and, but for pure noise, MOST_BYTES, in the image's shape, or that of its crop."""
    image = Image.fromarray(negative.pixels)
    width, height = negative.width, negative.height
    if negative.fit == "crop":
        width, height = image.size
    elif negative.fit == "pad":
        image = _without_padding(image, width, height)
    scale = min(SIDE_PX, max(image.size)) / max(width, height)
    small = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)
    data = b""
    for quality in QUALITIES:
        file = BytesIO()
        small.save(file, "JPEG", quality=quality)
        data = file.getvalue()
        if len(data) <= MOST_BYTES:
            break
    return data


def _without_padding(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of the sheet, where decode has laid the picture."""
    scale = min(image.width / width, image.height / height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    left, upper = (image.width - across) // 2, (image.height - down) // 2
    return image.crop((left, upper, left + across, upper + down))


def _room(group: Group) -> int:
    """The draw has twice the room: where rules ask for more than a label, each tag needs a draw of its own from it."""
    return 2 if group[2] == _DRAW else 1


def _groups(thumbnail: Thumbnail, shelf: TaskShelf) -> list[tuple[Group, Goodness]]:
    """Where a thumbnail competes, and how well it does."""
    task, label, url = thumbnail.task, thumbnail.label, thumbnail.url
    sure, raw = thumbnail.confidence, thumbnail.logit
    is_current = thumbnail.model_version == shelf.version
    order = sample_order(url)
    groups: list[tuple[Group, Goodness]] = [
        ((task, label, "most"), (is_current, sure, raw, order)),
        ((task, label, "least"), (is_current, -sure, -raw, order)),
        ((task, label, _DRAW), (is_current, -float(int(order[:13], 16)), 0.0, order)),
    ]
    for number, cut in enumerate(shelf.cuts):
        if cut.concerns(label):
            gap = (sure if cut.measure == "confidence" else raw) - cut.value
            side = "above" if gap >= 0 else "below"
            groups.append(((task, label, f"{number} {side}"), (is_current, -abs(gap), 0.0, order)))
    return groups
