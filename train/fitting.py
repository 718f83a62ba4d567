"""`fit`: a folder of classes to a model package."""

import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eoltag import __version__
from eoltag.errors import OutputError
from eoltag.package import CARD_VERSION, Card, CardInput, Package, write_card
from eoltag.records import Scores
from train.command import say, start_keras
from train.dataset import Dataset, Indices, read_dataset, split
from train.export import check_agreement, export_model, predict
from train.metrics import accuracy, confusion_matrix, per_class
from train.model_card import CONFUSION_FILE, CURVES_FILE, DATA_FILE, model_card
from train.plots import draw_confusion, draw_curves
from train.settings import FitSettings
from train.staging import check_destination, staged

if TYPE_CHECKING:
    from train.learning import Trained

LIBRARIES: Final = ("keras", "tensorflow", "tensorflow-cpu", "openvino", "numpy", "pillow")


def fit_package(settings: FitSettings, data: Path, out: Path, *, seed: int, overwrite: bool) -> dict[str, Any]:
    """Train, package, check; returns the summary. Raises UsageError, and then `out` is as it was."""
    started = time.monotonic()
    if out.resolve().is_relative_to(data.resolve()):
        raise OutputError(f"{out}: lies in the data folder {data}, where the next fit would take it for a label")
    check_destination(out, overwrite=overwrite)
    dataset = read_dataset(data, settings.spec)
    rows = split(dataset, settings.validation_fraction, seed)
    say(f"{len(rows[0])} images to train on, {len(rows[1])} to validate with, labels {', '.join(dataset.labels)}")
    start_keras()  # takes seconds: a mistake in the data or the arguments was told by now
    from train.learning import learn

    trained = learn(settings, dataset, *rows, seed)
    with staged(out, overwrite=overwrite) as folder:
        package = _write_package(folder, settings, dataset, rows, trained, seed)
    return {
        "out": str(out),
        "model_version": package.version,
        "labels": list(dataset.labels),
        "val_accuracy": package.card.metrics["val_accuracy"],
        "metrics": package.card.metrics,
        "images": {"train": len(rows[0]), "validation": len(rows[1])},
        "skipped": [
            {"path": str(data / file.path), "outcome": str(file.outcome), "detail": file.detail}
            for file in dataset.skipped
        ],
        "epochs_run": len(trained.history["loss"]),
        "seconds": round(time.monotonic() - started, 1),
    }


def _write_package(
    folder: Path, settings: FitSettings, dataset: Dataset, rows: tuple[Indices, Indices], trained: "Trained", seed: int
) -> Package:
    """Fill the folder; every number on the card comes from the exported files, not from the model in memory."""
    train, validation = rows
    export_model(trained.model, folder)
    card = Card(
        card_version=CARD_VERSION,
        name=settings.name,
        labels=dataset.labels,
        input=CardInput(
            height=settings.spec.height, width=settings.spec.width, fit=settings.fit, resample=settings.resample
        ),
        hyperparameters={
            **settings.model_dump(mode="json"),
            "seed": seed,
            "epochs_run": len(trained.history["loss"]),
            "parameters": int(trained.model.count_params()),
        },
        data_digest=dataset.digest(),
        versions=_versions(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        files={},
    )
    package = write_card(folder, card)
    held = dataset.pixels[validation]
    difference = check_agreement(package, held)
    logits = predict(package, "keras", held)
    metrics = _metrics(dataset, validation, logits, trained)
    card = card.model_copy(update={"metrics": {**metrics, "engines_differ_by": difference}})
    draw_curves(trained.history, folder / CURVES_FILE)
    draw_confusion(_confusion(dataset, validation, logits), dataset.labels, folder / CONFUSION_FILE)
    (folder / DATA_FILE).write_text(_data_table(dataset, validation), encoding="utf-8")
    text = model_card(card, dataset.counts(train), dataset.counts(validation))
    (folder / "README.md").write_text(text, encoding="utf-8")
    return write_card(folder, card)


def _confusion(dataset: Dataset, validation: Indices, logits: Scores) -> Any:
    return confusion_matrix(dataset.targets[validation], logits.argmax(axis=1), len(dataset.labels))


def _metrics(dataset: Dataset, validation: Indices, logits: Scores, trained: "Trained") -> dict[str, Any]:
    matrix = _confusion(dataset, validation, logits)
    return {
        "val_accuracy": accuracy(matrix),
        "val_loss": min(trained.history["val_loss"]),
        "per_class": per_class(matrix, dataset.labels),
        "confusion_matrix": matrix.tolist(),
    }


def _data_table(dataset: Dataset, validation: Indices) -> str:
    """Every image that the model has seen, so that an evaluation can leave it out."""
    held = set(validation.tolist())
    lines = ["sha256\tsplit\tlabel\tpath"]
    for row, example in enumerate(dataset.examples):
        part = "validation" if row in held else "train"
        lines.append(f"{example.sha256}\t{part}\t{dataset.labels[example.target]}\t{example.path.as_posix()}")
    return "\n".join(lines) + "\n"


def _versions() -> dict[str, str]:
    found = {"eoltag": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except ImportError:  # PackageNotFoundError: another backend, or TensorFlow under its other name
            continue
    return found
