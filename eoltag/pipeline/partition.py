"""The order of the stages inside one Spark task: fetch ahead, decode, batch, predict. No pyspark in here.

Fetching runs beside, in its own thread; decoding runs in line with inference, since with one task per core a thread
pool for decoding only adds switching (7.0 ms of CPU an image in line, 8.5 beside).
"""

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from eoltag.errors import ImageError
from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.image.decode import decode
from eoltag.model.engines import Engine, best_batch_size, load_engine
from eoltag.model.package import Card, EngineName, PrecisionChoice, unpack
from eoltag.model.score import Verdict, verdicts
from eoltag.records import FEATURE_SIDE_PX, Decoded, Feature, Fetched, Fit, InputSpec, ModelSlot, Pixels, Scores, Wanted
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
    mnorm_pp: float | None
    mnorm_pp_512: float | None
    fetched_at: datetime


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


_LOADED: dict[tuple[str, EngineName, PrecisionChoice, int, int], Engine] = {}
"""Engines of this process. Spark keeps worker processes between tasks, so a model is loaded once per worker."""


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
    specs = {version: source.card.spec for version, source in sources.items()}
    batches: dict[str, _Batch] = {}
    begun: _Begun | None = None
    fetched_images = fetch_ahead(
        wanted,
        lambda item: item.url,
        settings.fetch,
        rate_share=rate_share,
        max_images=settings.run.read_ahead_images,
        max_bytes=settings.run.read_ahead_bytes,
    )
    for item, fetched in fetched_images:
        item_slots = [slots[key] for key in item.models]
        versions = sorted({slot.version for slot in item_slots})
        features = sorted({feature for slot in item_slots for feature in slot.features})
        shared = _describe(fetched)
        try:
            wanted_specs = [specs[version] for version in versions]
            decoded = _decoded(fetched, wanted_specs, settings.decode.max_pixels, features)
        except ImageError as problem:
            shared |= {"outcome": problem.outcome, "detail": problem.detail}
            decoded = None
        if decoded is None:
            yield from ((item, _failed(slot, shared)) for slot in item_slots)
            continue
        shared |= {
            "width": decoded.width,
            "height": decoded.height,
            "color_mode": decoded.color_mode,
            "perceptual_hash": decoded.perceptual_hash,
            **_measured(features, decoded),
        }
        for version, pixels in zip(versions, decoded.pixels, strict=True):
            batch = batches.get(version)
            if batch is None:
                size = best_batch_size(sources[version].engine, settings.engine.batch_size)
                batch = batches[version] = _Batch(np.empty((size, *pixels.shape), np.uint8))
            image = _Image(item, [slot for slot in item_slots if slot.version == version], shared)
            if batch.add(image, pixels):
                before, begun = begun, _begin(batches.pop(version), version, sources[version], settings, threads)
                yield from _predictions(before, collector)
    for version, batch in batches.items():
        before, begun = begun, _begin(batch, version, sources[version], settings, threads)
        yield from _predictions(before, collector)
    yield from _predictions(begun, collector)


def warm_up(sources: Mapping[str, ModelSource], settings: Settings, *, threads: int) -> None:
    """Load every model into this process, so that its first task need not."""
    for version, source in sources.items():
        _engine(version, source, settings, threads)


def _decoded(fetched: Fetched, specs: list[InputSpec], max_pixels: int, features: list[Feature]) -> Decoded | None:
    """Once for all models and features."""
    if fetched.data is None:
        return None
    return decode(fetched.data, specs, max_pixels, [FEATURE_SIDE_PX[feature] for feature in features])


def _measured(features: list[Feature], decoded: Decoded) -> dict[str, float]:
    """Features by name. OpenCV is loaded by the first image for which a task asks for one."""
    if not features:
        return {}
    from eoltag.image.cartoon import cartoonization

    return {
        feature: cartoonization(picture).mnorm_pp for feature, picture in zip(features, decoded.pictures, strict=True)
    }


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
        **dict.fromkeys(FEATURE_SIDE_PX),
        "fetched_at": datetime.now(UTC),
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


def _begin(batch: _Batch, version: str, source: ModelSource, settings: Settings, threads: int) -> _Begun:
    """Hand the batch over: a GPU computes while the next images are decoded, until the next batch is handed over."""
    engine = _engine(version, source, settings, threads)
    return _Begun(batch, version, source.card, engine.name, engine.begin(batch.pixels[: len(batch.images)]))


def _predictions(begun: _Begun | None, collector: Collector | None) -> Iterator[tuple[Wanted, Prediction]]:
    if begun is None:
        return
    images, card = begun.batch.images, begun.card
    found = verdicts(begun.logits(), card.labels, card.temperature)
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


def _engine(version: str, source: ModelSource, settings: Settings, threads: int) -> Engine:
    """This process's engine, loaded at the first full batch: the first fetches are under way by then."""
    key = (version, source.engine, settings.engine.precision, settings.engine.batch_size, threads)
    if key not in _LOADED:
        _LOADED[key] = load_engine(
            source.engine,
            unpack(source.packed.value),
            batch_size=best_batch_size(source.engine, settings.engine.batch_size),
            threads=threads,
            keras_backend=settings.engine.keras_backend,
            precision=settings.engine.precision,
        )
        gc.freeze()  # what was imported stays: Spark collects garbage after every task, which took 25 ms
    return _LOADED[key]
