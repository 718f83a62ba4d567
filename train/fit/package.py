"""A trained network to a model package: export, check, measure, describe."""

import platform
import resource
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from eoltag import __version__
from eoltag.model.card import CARD_VERSION, CardInput
from eoltag.model.engines import load_engine
from eoltag.model.package import Card, Package, unpack, write_card
from eoltag.records import Scores
from train.cli import cores, log
from train.data.dataset import Dataset, Indices
from train.fit.calibrating import calibrated
from train.fit.outputs import TRAINED_KINDS
from train.package.bases import export_from_vectors, has_untouched_base, keep_base
from train.package.data_table import write_data_table
from train.package.model_card import CONFUSION_FILE, CURVES_FILE, README_FILE, model_card
from train.package.runtimes import (
    BATCH,
    MOST_COMPARED,
    Comparison,
    compare_engines,
    export_in_parts,
    export_model,
    tolerated,
)
from train.records import LabelledImage, Split
from train.settings import WHOLE, FitSettings

if TYPE_CHECKING:
    from train.fit.loop import Trained

LIBRARIES: Final = ("keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy", "pillow")
PLOT_DPI: Final = 110


def write_package(
    folder: Path,
    settings: FitSettings,
    dataset: Dataset,
    rows: tuple[Indices, Indices],
    trained: "Trained",
    curves: Path,
    seconds: float,
) -> Package:
    """Fill the folder; every score on the card is one that the exported files give, not the model in memory; after a
    refit it is one that the training before it gave.

    curves: the picture of its epochs. seconds: that the training took. Raises PackageError where the engines disagree.
    """
    train, validation = rows
    kind, answers = TRAINED_KINDS[settings.output], dataset.answers[validation]
    trained, calibration = calibrated(trained, settings, dataset, validation)
    card = _card(settings, dataset, trained)
    if dataset.vectors is not None:
        card, logits, difference = export_from_vectors(folder, card, trained.model, dataset.vectors[validation])
    else:
        card, logits, difference = _export_from_pictures(folder, card, dataset, validation, trained)
    logits = logits if trained.held_out is None else trained.held_out
    measured = {**calibration, **kind.measure(logits, answers, dataset.labels)}
    metrics = (
        card.metrics
        | measured
        | {
            "engines_differ_by": difference,
            "best_epoch": trained.history.index(trained.best) + 1,
            "training": _costs(trained, seconds),
        }
    )
    card = card.model_copy(update={"metrics": metrics, "temperature": measured["calibration"].get("temperature", 1.0)})
    shutil.copyfile(curves, folder / CURVES_FILE)
    kind.figure(logits, answers, dataset.labels).savefig(folder / CONFUSION_FILE, dpi=PLOT_DPI)
    write_data_table(folder, _seen(dataset, validation if trained.held_out is None else validation[:0]))
    listed = write_card(folder, card).card
    text = model_card(listed, dataset.counts(train), dataset.counts(validation))
    (folder / README_FILE).write_text(text, encoding="utf-8")
    return write_card(folder, card)


def _export_from_pictures(
    folder: Path, card: Card, dataset: Dataset, validation: Indices, trained: "Trained"
) -> tuple[Card, Scores, float]:
    """Write the model, with its base apart where that was left as it was; returns its card, its logits of the
    validation images, and how far the engines differ."""
    has_base = has_untouched_base(card)
    (export_in_parts if has_base else export_model)(trained.model, folder)
    logits, whole = _scores(write_card(folder, card), dataset, validation, trained.scores)
    if has_base:
        card, proof = keep_base(folder, card, trained.model, whole)
        log(proof.sentence())
    return card, logits, whole.difference


def _card(settings: FitSettings, dataset: Dataset, trained: "Trained") -> Card:
    """What is known before the model is measured."""
    spec = settings.spec
    return Card(
        card_version=CARD_VERSION,
        name=settings.name,
        labels=dataset.labels,
        output_kind=settings.output,
        input=CardInput(height=spec.height, width=spec.width, fit=spec.fit, resample=spec.resample),
        hyperparameters={
            **settings.model_dump(mode="json"),
            "weights": settings.weights if settings.architecture not in WHOLE else "none",
            "epochs_run": len(trained.history),
            "parameters": int(trained.model.count_params()),
        },
        data_digest=dataset.digest(),
        versions=_versions(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        base_version=settings.features_of,
        feature_length=dataset.feature_length if settings.features_of else 0,
        files={},
    )


def _scores(package: Package, dataset: Dataset, validation: Indices, kept: Scores | None) -> tuple[Scores, Comparison]:
    """Logits of the validation images as the exported files give them, and how the engines compare on some of them.

    kept: what the training has of these, in their order; taken where the files give the same on the compared images,
    since only the pictures' way through the whole network is then left out.
    """
    compared = np.linspace(0, len(validation) - 1, min(len(validation), MOST_COMPARED)).astype(np.int64)
    whole = compare_engines(package, dataset.pixels[validation[compared]])
    proof = whole.logits["openvino"]
    if kept is not None and np.all(np.abs(kept[compared] - proof) <= tolerated(proof)):
        return kept, whole
    return _logits(package, dataset, validation), whole


def _logits(package: Package, dataset: Dataset, rows: Indices) -> Scores:
    """Logits of many images, a batch in memory at a time, by the engine that most workers use."""
    name = package.fastest_engine
    engine = load_engine(
        name, unpack(package.pack(name)), batch_size=BATCH, threads=cores(), keras_backend="tensorflow"
    )
    found = [engine.predict(dataset.pixels[rows[start : start + BATCH]]) for start in range(0, len(rows), BATCH)]
    return np.concatenate(found)


def _costs(trained: "Trained", seconds: float) -> dict[str, Any]:
    """What the training took, of this process since its start."""
    unit = 1 if sys.platform == "darwin" else 1024
    by_phase: dict[str, list[float]] = {}
    for epoch in trained.history:
        by_phase.setdefault(epoch.phase, []).append(epoch.seconds)
    return {
        "seconds": round(seconds, 1),
        "feature_seconds": round(trained.feature_seconds, 1),
        "seconds_per_epoch": {phase: round(median(values), 2) for phase, values in by_phase.items()},
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
    }


def _seen(dataset: Dataset, validation: Indices) -> Iterator[tuple[str, Split, LabelledImage]]:
    held = set(validation.tolist())
    for row, example in enumerate(dataset.examples):
        yield example.sha256, Split.VAL if row in held else Split.TRAIN, example.image


def _versions() -> dict[str, str]:
    found = {"eoltag": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except ImportError:  # PackageNotFoundError: another backend, or TensorFlow under its other name
            continue
    return found
