"""The order of the stages inside one Spark task: fetch ahead, decode, batch, predict. No pyspark in here.

Fetching runs beside, in its own thread; decoding runs in line with inference, since with one task per core a thread
pool for decoding only adds switching (7.0 ms of CPU an image in line, 8.5 beside).
"""

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np

from eoltag.errors import ImageError
from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.image.decode import decode
from eoltag.image.features import FEATURES
from eoltag.model.engines import Engine, best_batch_size, load_engine
from eoltag.model.outputs import Verdict
from eoltag.model.package import Card, EngineName, PrecisionChoice, unpack
from eoltag.records import Decoded, Fetched, Fit, ModelSlot, Pixels, Scores, Wanted
from eoltag.report.thumbnails import Picture
from eoltag.report.top_k import Collector, Scored
from eoltag.settings import Settings


class Prediction(NamedTuple):
    """One image as one model sees it; the columns of the predictions table that a worker fills."""

    task: str
    model: str
    model_version: str
    engine: str | None
    outcome: str
    detail: str | None
    http_status: int | None
    attempts: int
    label: str | None
    confidence: float | None
    logit: float | None
    scores: dict[str, float] | None
    width: int | None
    height: int | None
    color_mode: str | None
    bytes: int | None
    content_sha256: str | None
    perceptual_hash: str | None
    fetched_at: datetime
    features: tuple[float | None, ...]
    """One value for each of image.features.FEATURES, in that order."""

    def row(self) -> tuple[Any, ...]:
        """The values of the columns, in the order of the table: features stand before `fetched_at`."""
        *columns, fetched_at, features = self
        return (*columns, *features, fetched_at)


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a worker gets a model from, should it not have it yet."""

    engine: EngineName
    card: Card
    packed: Any
    """Holds the packed package as `.value`: a Spark broadcast, or anything alike."""


@dataclass(slots=True)
class _Image:
    """What is known of one decoded image while it waits in a batch."""

    wanted: Wanted
    slots: list[ModelSlot]
    shared: dict[str, Any]


@dataclass(slots=True)
class _Batch:
    """A growing batch for one model version."""

    pixels: Pixels
    images: list[_Image] = field(default_factory=list)

    def add(self, image: _Image, pixels: Pixels) -> bool:
        """True when the batch is full."""
        self.pixels[len(self.images)] = pixels
        self.images.append(image)
        return len(self.images) == len(self.pixels)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A batch that an engine works on."""

    batch: _Batch
    version: str
    card: Card
    engine: str
    logits: Callable[[], Scores]


@dataclass(slots=True)
class _Scoring:
    """The growing batch of each model version, and the batch that an engine works on."""

    sources: Mapping[str, ModelSource]
    settings: Settings
    threads: int
    collector: Collector | None
    _growing: dict[str, _Batch] = field(default_factory=dict)
    _begun: _Begun | None = None

    def add(self, version: str, image: _Image, pixels: Pixels) -> Iterator[tuple[Wanted, Prediction]]:
        """Take one image; where its batch is full, the predictions of the batch before."""
        if version not in self._growing:
            size = best_batch_size(self.sources[version].engine, self.settings.engine.batch_size)
            self._growing[version] = _Batch(np.empty((size, *pixels.shape), np.uint8))
        if self._growing[version].add(image, pixels):
            yield from self._begin(version)

    def finish(self) -> Iterator[tuple[Wanted, Prediction]]:
        """The predictions that are left."""
        for version in list(self._growing):
            yield from self._begin(version)
        yield from _predictions(self._begun, self.collector)

    def _begin(self, version: str) -> Iterator[tuple[Wanted, Prediction]]:
        """Hand a batch over: a GPU computes while the next images are decoded, until the next batch is handed over."""
        engine = _engine(version, self.sources, self.settings, self.threads)
        batch, before = self._growing.pop(version), self._begun
        logits = engine.begin(batch.pixels[: len(batch.images)])
        self._begun = _Begun(batch, version, self.sources[version].card, engine.name, logits)
        yield from _predictions(before, self.collector)


MOST_LOADED: Final = 8
"""Engines that stay loaded, unless one call wants more: a model takes some 100 MB of a worker's memory."""

_LOADED: dict[tuple[str, EngineName, PrecisionChoice, int, int], Engine] = {}
"""Engines of this process, the one used last at the end. Spark keeps worker processes between tasks and jobs, so a
model is loaded once per worker, and is dropped when others have been used since."""


def predict_images(
    wanted: Iterable[Wanted],
    slots: Mapping[str, ModelSlot],
    sources: Mapping[str, ModelSource],
    settings: Settings,
    *,
    threads: int,
    rate_share: float,
    collector: Collector | None = None,
) -> Iterator[tuple[Wanted, Prediction]]:
    """Every wanted image with one prediction per model that wants it, in no particular order.

    slots: by key, as Wanted.models names them. sources: by model version. threads: CPU threads for inference.
    rate_share: this task's part of the global request rate, in (0, 1]. collector: is offered every image for
    the report.
    """
    scoring = _Scoring(sources, settings, threads, collector)
    fetched_images = fetch_ahead(
        wanted,
        lambda item: item.fetch,
        settings.fetch,
        rate_share=rate_share,
        max_images=settings.run.read_ahead_images,
        max_bytes=settings.run.read_ahead_bytes,
    )
    for item, fetched in fetched_images:
        item_slots = [slots[key] for key in item.models]
        shared, pixels = _read(fetched, item_slots, sources, settings)
        if not pixels:
            yield from ((item, _failed(slot, shared)) for slot in item_slots)
        for version, picture in pixels.items():
            image = _Image(item, [slot for slot in item_slots if slot.version == version], shared)
            yield from scoring.add(version, image, picture)
    yield from scoring.finish()


def warm_up(sources: Mapping[str, ModelSource], settings: Settings, *, threads: int) -> None:
    """Load every model into this process, so that its first task need not."""
    for version in sources:
        _engine(version, sources, settings, threads)


def _read(
    fetched: Fetched, slots: Sequence[ModelSlot], sources: Mapping[str, ModelSource], settings: Settings
) -> tuple[dict[str, Any], dict[str, Pixels]]:
    """The columns that every model of an image shares, and the picture for each model version; none where it failed."""
    shared = _describe(fetched)
    if fetched.data is None:
        return shared, {}
    versions = sorted({slot.version for slot in slots})
    features = sorted({feature for slot in slots for feature in slot.features})
    specs, sides = [sources[version].card.spec for version in versions], [FEATURES[name].side_px for name in features]
    try:
        decoded = decode(fetched.data, specs, settings.decode.max_pixels, sides)
    except ImageError as problem:
        return {**shared, "outcome": problem.outcome, "detail": problem.detail}, {}
    shared |= {
        "width": decoded.width,
        "height": decoded.height,
        "color_mode": decoded.color_mode,
        "perceptual_hash": decoded.perceptual_hash,
        "features": _measured(features, decoded),
    }
    return shared, dict(zip(versions, decoded.pixels, strict=True))


def _measured(names: list[str], decoded: Decoded) -> tuple[float | None, ...]:
    """One value for each of FEATURES; None where it is not wanted. decoded: with a picture for each of `names`."""
    found = {name: FEATURES[name].measure(picture) for name, picture in zip(names, decoded.pictures, strict=True)}
    return tuple(found.get(name) for name in FEATURES)


def _describe(fetched: Fetched) -> dict[str, Any]:
    """The columns that every model of an image shares."""
    data = fetched.data
    return {
        "outcome": fetched.outcome,
        "detail": fetched.detail,
        "http_status": fetched.http_status,
        "attempts": fetched.attempts,
        "width": None,
        "height": None,
        "color_mode": None,
        "bytes": None if data is None else len(data),
        "content_sha256": None if data is None else hashlib.sha256(data).hexdigest(),
        "perceptual_hash": None,
        "fetched_at": datetime.now(UTC),
        "features": (None,) * len(FEATURES),
    }


def _failed(slot: ModelSlot, shared: dict[str, Any]) -> Prediction:
    return Prediction(
        task=slot.task,
        model=slot.model,
        model_version=slot.version,
        engine=None,
        label=None,
        confidence=None,
        logit=None,
        scores=None,
        **shared,
    )


def _predictions(begun: _Begun | None, collector: Collector | None) -> Iterator[tuple[Wanted, Prediction]]:
    if begun is None:
        return
    images, card = begun.batch.images, begun.card
    found = card.verdicts(begun.logits())
    if collector is not None:
        scored = zip(images, found, begun.batch.pixels, strict=False)
        collector.offer(_scored(image, verdict, pixels, card.spec.fit) for image, verdict, pixels in scored)
    for image, verdict in zip(images, found, strict=True):
        for slot in image.slots:
            yield (
                image.wanted,
                Prediction(
                    task=slot.task,
                    model=slot.model,
                    model_version=begun.version,
                    engine=begun.engine,
                    label=verdict.label,
                    confidence=verdict.confidence,
                    logit=verdict.logit,
                    scores=verdict.scores,
                    **image.shared,
                ),
            )


def _scored(image: _Image, verdict: Verdict, pixels: Pixels, fit: Fit) -> Scored:
    picture = Picture(pixels, image.shared["width"], image.shared["height"], fit)
    return Scored(image.wanted.url, image.slots, verdict.label, verdict.confidence, verdict.logit, picture)


def _engine(version: str, sources: Mapping[str, ModelSource], settings: Settings, threads: int) -> Engine:
    """This process's engine, loaded at the first full batch: the first fetches are under way by then."""
    source, wanted = sources[version], settings.engine
    key = (version, source.engine, wanted.precision, wanted.batch_size, threads)
    if key not in _LOADED:
        _drop_unused(max(MOST_LOADED, len(sources)) - 1)
        _LOADED[key] = load_engine(
            source.engine,
            unpack(source.packed.value),
            batch_size=best_batch_size(source.engine, wanted.batch_size),
            threads=threads,
            keras_backend=wanted.keras_backend,
            precision=wanted.precision,
        )
        gc.freeze()  # what was imported stays: Spark collects garbage after every task, which took 25 ms
    _LOADED[key] = _LOADED.pop(key)  # the end of the order of use
    return _LOADED[key]


def _drop_unused(most: int) -> None:
    """Keep at most so many engines, those used last."""
    if len(_LOADED) <= most:
        return
    while len(_LOADED) > most:
        del _LOADED[next(iter(_LOADED))]
    gc.unfreeze()  # an engine may be held by a circle of its own, which only the collector opens
    gc.collect()
