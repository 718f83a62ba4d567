"""`classify`: any images, one model, the same decoding and scoring as the Spark job."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal

import numpy as np

from eoltag.errors import ImageError
from eoltag.image.decode import decode
from eoltag.model.engines import Engine, load_engine
from eoltag.model.package import Package, unpack
from eoltag.model.score import Verdict, verdicts
from eoltag.records import Fetched, Outcome, Pixels
from eoltag.settings import DecodeSettings, FetchSettings
from train.cli import cores, progress, start_keras
from train.images.sources import Source, read_sources

BATCH: Final = 16

EngineChoice = Literal["auto", "openvino", "keras"]


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one image."""

    path: str
    outcome: Outcome
    detail: str | None
    verdict: Verdict | None

    def document(self, top: int) -> dict[str, Any]:
        """Plain JSON values, the `top` best labels first; what a failed image lacks is null."""
        verdict = self.verdict
        return {
            "path": self.path,
            "label": verdict.label if verdict else None,
            "confidence": verdict.confidence if verdict else None,
            "predictions": predictions(verdict, top) if verdict else None,
            "logit": verdict.logit if verdict else None,
            "scores": verdict.scores if verdict else None,
            "outcome": str(self.outcome),
            "detail": self.detail,
        }


def classify(
    package: Package, sources: Sequence[Source], fetch: FetchSettings, engine: EngineChoice = "auto"
) -> list[Row]:
    """One row per source, in that order; files that a folder merely happened to hold beside its images are left out.

    auto: OpenVINO where the package has its export, else Keras.
    """
    model = load(package, engine)
    rows: dict[int, Row] = {}
    contents = progress(read_sources(sources, fetch), len(sources), "image", "classifying")
    with ThreadPoolExecutor(cores()) as pool:
        for batch in _batches(contents):
            pixels = list(pool.map(lambda content: _decoded(content, package), (content for _, content in batch)))
            for (at, content), row in zip(batch, _judged(package, model, batch, pixels, sources), strict=True):
                if not (sources[at].is_found and row.outcome is Outcome.NOT_IMAGE and content.data is not None):
                    rows[at] = row
    return [rows[at] for at in sorted(rows)]


def load(package: Package, choice: EngineChoice) -> Engine:
    """The package's model on this machine's cores."""
    name = package.engines[0] if choice == "auto" else choice
    packed = package.pack(name)
    if name == "keras":
        start_keras()
    return load_engine(name, unpack(packed), batch_size=BATCH, threads=cores(), keras_backend="tensorflow")


def _batches(contents: Iterable[tuple[int, Fetched]]) -> Iterator[list[tuple[int, Fetched]]]:
    waiting = iter(contents)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def _decoded(content: Fetched, package: Package) -> Pixels | ImageError | None:
    """The picture that the model takes; None where there are no bytes."""
    if content.data is None:
        return None
    try:
        return decode(content.data, [package.card.spec], DecodeSettings().max_pixels).pixels[0]
    except ImageError as problem:
        return problem


def _judged(
    package: Package,
    model: Engine,
    batch: Sequence[tuple[int, Fetched]],
    pixels: Sequence[Pixels | ImageError | None],
    sources: Sequence[Source],
) -> Iterator[Row]:
    """A row for every image of a batch."""
    usable = [picture for picture in pixels if isinstance(picture, np.ndarray)]
    logits = model.predict(np.stack(usable)) if usable else np.empty((0, len(package.card.labels)), np.float32)
    judged = iter(verdicts(logits, package.card.labels, package.card.temperature))
    for (at, content), picture in zip(batch, pixels, strict=True):
        path = sources[at].path
        if picture is None:
            yield Row(path, content.outcome, content.detail, None)
        elif isinstance(picture, ImageError):
            yield Row(path, picture.outcome, picture.detail, None)
        else:
            yield Row(path, Outcome.OK, None, next(judged))


def ranked(verdict: Verdict, top: int | None = None) -> list[tuple[str, float]]:
    """(label, probability) by falling probability, at most `top`; equal ones in the model's order."""
    return sorted(verdict.scores.items(), key=lambda item: -item[1])[:top]


def predictions(verdict: Verdict, top: int | None = None) -> list[dict[str, str | float]]:
    """The same as JSON: [{"label": ..., "probability": ...}, ...]."""
    return [{"label": label, "probability": probability} for label, probability in ranked(verdict, top)]
