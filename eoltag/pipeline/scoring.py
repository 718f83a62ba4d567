"""Pictures and features to scores, in batches, one network after the other."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoltag.model.package import Card
from eoltag.pipeline.clock import Stage, Stopwatch
from eoltag.pipeline.computing import Computed, Computer, Failed
from eoltag.pipeline.models import Models, Network
from eoltag.pipeline.rows import ImageRow, Row, ScoreBlock, ScoreRow, ScoreSource, VectorRow
from eoltag.records import Pixels, Scores, WantedImage
from eoltag.report.thumbnails import Picture
from eoltag.report.top_k import Collector, Scored

FEATURE_TYPE: Final = np.dtype("<f2")
"""Of stored vectors."""


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """A picture while it waits in a batch."""

    url: str | None
    content_sha256: str
    width: int
    height: int
    """Size of the upright image."""
    lacking: frozenset[str]
    """The model versions that are to score it."""
    keeps_vector: bool = False
    answer: tuple[WantedImage, ImageRow] | None = None
    """The answer of a server that brought it; None for a kept copy."""


@dataclass(slots=True)
class _Batch:
    """A growing batch of one network."""

    pixels: Pixels
    images: list[ScoredImage] = field(default_factory=list)

    def add(self, image: ScoredImage, pixels: Pixels) -> bool:
        """True when the batch is full."""
        self.pixels[len(self.images)] = pixels
        self.images.append(image)
        return len(self.images) == len(self.pixels)


@dataclass(slots=True)
class PictureScoring:
    """The growing batch of each network, and the batch that an engine works on."""

    models: Models
    computer: Computer
    source: ScoreSource
    watch: Stopwatch
    collector: Collector | None = None
    _growing: dict[str, _Batch] = field(default_factory=dict)
    _begun: Callable[[], list[Row]] = list
    """Gives the rows of the batch that an engine works on."""
    _failed: list[tuple[ScoredImage, str]] = field(default_factory=list)

    def failed(self) -> Iterator[tuple[ScoredImage, str]]:
        """The pictures that could not be scored since this was asked, and why."""
        while self._failed:
            yield self._failed.pop(0)

    def add(self, network: Network, image: ScoredImage, pixels: Pixels) -> Iterator[Row]:
        """Take one picture (H, W, 3); where its batch is full, the rows of the batch before."""
        if network.key not in self._growing:
            size = self.models.batch_size(network)
            self._growing[network.key] = _Batch(np.empty((size, *pixels.shape), np.uint8))
        if self._growing[network.key].add(image, pixels):
            yield from self._begin(network)

    def finish(self) -> Iterator[Row]:
        """The rows that are left."""
        for network in self.models.networks:
            if network.key in self._growing:
                yield from self._begin(network)
        yield from self._end(self._begun)

    def _begin(self, network: Network) -> Iterator[Row]:
        """Hand a batch over: a GPU computes while the next images are decoded, until the next batch is handed over."""
        batch, before = self._growing.pop(network.key), self._begun
        with self.watch.of(Stage.INFER):
            self._begun = self._work(network, batch)
        yield from self._end(before)

    def _end(self, begun: Callable[[], list[Row]]) -> Iterator[Row]:
        with self.watch.of(Stage.INFER):
            rows = begun()
        yield from rows

    def _work(self, network: Network, batch: _Batch) -> Callable[[], list[Row]]:
        """The rows of a batch, in two steps."""
        try:
            finish = self.computer.begin(network, batch.pixels[: len(batch.images)])
        except Failed:
            return lambda: self._one_by_one(network, batch)

        def rows() -> list[Row]:
            try:
                found = finish()
            except Failed:
                return self._one_by_one(network, batch)
            return list(self._found(network, batch, found))

        return rows

    def _one_by_one(self, network: Network, batch: _Batch) -> list[Row]:
        """The rows of a batch that failed; the picture that it failed for has none. Raises Failed: see _check."""
        rows: list[Row] = []
        for number, image in enumerate(batch.images):
            alone = _Batch(batch.pixels[number : number + 1], [image])
            try:
                found = self.computer.begin(network, alone.pixels)()
            except Failed as failed:
                self._check(network, alone.pixels)
                self._failed.append((image, str(failed)))
                continue
            rows += self._found(network, alone, found)
        return rows

    def _check(self, network: Network, pixels: Pixels) -> None:
        """Raises Failed where a black picture cannot be scored either: then it is not the picture's fault."""
        self.computer.begin(network, np.zeros_like(pixels))()

    def _found(self, network: Network, batch: _Batch, found: Computed) -> Iterator[Row]:
        """Vectors to be kept, and the scores of every model of the network."""
        if found.features is not None:
            for image, row in zip(batch.images, found.features, strict=True):
                if image.keeps_vector:
                    vector = row.astype(FEATURE_TYPE).tobytes()
                    yield VectorRow(image.content_sha256, str(network.base_version), vector, self.source)
        for version, (engine, logits) in found.scores.items():
            yield from self._rows(version, engine, batch, logits)

    def _rows(self, version: str, engine: str, batch: _Batch, logits: Scores) -> list[Row]:
        """The scores of the images of a batch that lack this version."""
        card, now = self.models.sources[version].card, datetime.now(UTC)
        check_logits(card, logits)
        if self.collector is not None:
            self.collector.offer(self._shown(version, card, batch, logits))
        return [
            ScoreRow(image.content_sha256, version, *engine_and_precision(engine), self.source, row, now)
            for image, row in zip(batch.images, logits, strict=True)
            if version in image.lacking
        ]

    def _shown(self, version: str, card: Card, batch: _Batch, logits: Scores) -> Iterator[Scored]:
        slots = [slot for slot in self.models.slots if slot.version == version]
        found = zip(batch.images, card.verdicts(logits), batch.pixels, strict=False)
        for image, verdict, pixels in found:
            picture = Picture(pixels, image.width, image.height, card.spec.fit)
            yield Scored(image.url, slots, verdict.label, verdict.confidence, verdict.logit, picture)


def score_vectors(
    models: Models, vectors: NDArray[np.float16], lacking: Sequence[Collection[str]]
) -> Iterator[ScoreBlock]:
    """The scores of kept features (N, D), by every head that a content lacks; no image is touched.

    Raises ValueError where vectors are not as long as a head takes.
    """
    rows = vectors.astype(np.float32)
    for version in sorted({version for versions in lacking for version in versions}):
        places = np.flatnonzero([version in versions for versions in lacking])
        head, card = models.head(version, VECTOR_BATCH), models.sources[version].card
        logits, now = head.logits(rows[places]), datetime.now(UTC)
        check_logits(card, logits)
        yield ScoreBlock(places, version, *engine_and_precision(head.name), "features", logits, now)


VECTOR_BATCH: Final = 256
"""Rows of features in one call of a head."""


def engine_and_precision(name: str) -> tuple[str, str]:
    """`openvino-f32` in two."""
    engine, _, precision = name.partition("-")
    return engine, precision


def check_logits(card: Card, logits: Scores) -> None:
    """Raises ValueError where a model does not give one number for each label."""
    if logits.ndim != 2 or logits.shape[1] != len(card.labels):
        raise ValueError(f"{card.name}: logits of shape (N, {len(card.labels)}) were wanted. Received: {logits.shape}")
