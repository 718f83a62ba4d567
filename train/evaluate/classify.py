"""`classify`: any images, one model, the same decoding and scoring as the Spark job."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal, TypeVar

import numpy as np

from eoltag.errors import ImageError
from eoltag.model.engines import Engine, load_engine
from eoltag.model.outputs import Verdict
from eoltag.model.package import Package, unpack
from eoltag.records import Fetched, Outcome, Pixels, Scores
from eoltag.settings import FetchSettings
from train.cli import cores, start_keras
from train.evaluate.shown import shown_labels
from train.images.decoding import decode_ahead, decode_bytes
from train.images.sources import ImageSource, read_sources

T = TypeVar("T")
R = TypeVar("R")

BATCH: Final = 16

EngineChoice = Literal["auto", "openvino", "keras"]


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one image."""

    path: str
    outcome: Outcome
    detail: str | None
    verdict: Verdict | None
    shown: tuple[str, ...] | None = None
    """Labels that the image shows; None where the model gives one of many, or there is no verdict."""

    def document(self, top: int | None) -> dict[str, Any]:
        """Plain JSON values, the `top` best labels first; what a failed image lacks is null. `shown` is there for a
        model of several labels only."""
        verdict = self.verdict
        return {
            "path": self.path,
            "label": verdict.label if verdict else None,
            "confidence": verdict.confidence if verdict else None,
            "predictions": predictions(verdict, self.shown, top) if verdict else None,
            "logit": verdict.logit if verdict else None,
            "scores": verdict.scores if verdict else None,
            "outcome": str(self.outcome),
            "detail": self.detail,
            **({} if self.shown is None else {"shown": list(self.shown)}),
        }


def classify(
    package: Package, sources: Sequence[ImageSource], fetch: FetchSettings, engine: EngineChoice = "auto"
) -> list[Row]:
    """One row per source, in that order; files that a folder merely happened to hold beside its images are left out.

    auto: OpenVINO where the package has its export, else Keras.
    """
    model = load(package, engine)
    card = package.card
    rows: dict[int, Row] = {}
    contents = decode_ahead(
        read_sources(sources, fetch), lambda content: _decoded(content[1], package), len(sources), "classifying", BATCH
    )
    for (at, content), pixels, logits in scored(model, contents, lambda pixels: pixels):
        path = sources[at].path
        if logits is not None:
            (verdict,) = card.verdicts(logits[np.newaxis])
            rows[at] = Row(path, Outcome.OK, None, verdict, shown_labels(card, logits))
        elif not isinstance(pixels, ImageError):
            rows[at] = Row(path, content.outcome, content.detail, None)
        elif not (sources[at].is_found and pixels.outcome is Outcome.NOT_IMAGE):
            rows[at] = Row(path, pixels.outcome, pixels.detail, None)
    return [rows[at] for at in sorted(rows)]


def load(package: Package, choice: EngineChoice) -> Engine:
    """The package's model on this machine's cores."""
    name = package.fastest_engine if choice == "auto" else choice
    packed = package.pack(name)
    if name == "keras":
        start_keras()
    return load_engine(name, unpack(packed), batch_size=BATCH, threads=cores(), keras_backend="tensorflow")


def scored(
    model: Engine, decoded: Iterator[tuple[T, R | ImageError]], pixels_of: Callable[[R], Pixels | None]
) -> Iterator[tuple[T, R | ImageError, Scores | None]]:
    """Each image with its logits (C,), in order and in batches; None for those without pixels."""
    while batch := list(islice(decoded, BATCH)):
        pixels = [None if isinstance(result, ImageError) else pixels_of(result) for _, result in batch]
        usable = [picture for picture in pixels if picture is not None]
        logits = iter(model.predict(np.stack(usable)) if usable else ())
        for (image, result), picture in zip(batch, pixels, strict=True):
            yield image, result, None if picture is None else next(logits)


def _decoded(content: Fetched, package: Package) -> Pixels | None:
    """The picture that the model takes; None where there are no bytes. Raises ImageError."""
    if content.data is None:
        return None
    return decode_bytes(content.data, [package.card.spec]).pixels[0]


def ranked(verdict: Verdict, top: int | None = None) -> list[tuple[str, float]]:
    """(label, probability) by falling probability, at most `top`; equal ones in the model's order."""
    return sorted(verdict.scores.items(), key=lambda item: -item[1])[:top]


def predictions(verdict: Verdict, shown: tuple[str, ...] | None, top: int | None) -> list[dict[str, str | float]]:
    """The same as JSON: [{"label": ..., "probability": ...}, ...].

    shown: see Row; where it is given, each label says whether it is among them, as `shown`.
    """
    return [
        {"label": label, "probability": probability, **({} if shown is None else {"shown": label in shown})}
        for label, probability in ranked(verdict, top)
    ]
