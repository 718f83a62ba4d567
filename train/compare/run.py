"""`compare`: attempts and packages side by side, from their cards, on the same images, and by speed."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError, PackageError
from eoltag.model.attempts import CARD_FILE, PACKAGE_FOLDER, attempts
from eoltag.model.card import KERAS_FILE, OPENVINO_FILES
from eoltag.model.package import Package, read_package
from train.cli import log, progress
from train.compare.speed import images_per_s
from train.evaluate.labels.registry import evaluate_package
from train.evaluate.metrics import macro
from train.evaluate.run import Request

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Contender:
    """One row: a package, or an attempt that has none yet. None where nothing is known."""

    path: str
    package: Package | None = None
    name: str | None = None
    model_version: str | None = None
    architecture: str | None = None
    labels: int | None = None
    image_size_px: int | None = None
    parameters: int | None = None
    size_mb: dict[str, float] = field(default_factory=dict)
    """Engine -> size of the files that it needs."""
    epochs: int | None = None
    seconds_per_epoch: dict[str, float] = field(default_factory=dict)
    """Phase of the training -> seconds."""
    peak_memory_mb: float | None = None
    """Most memory that its training held."""
    val_accuracy: float | None = None
    val_macro_f1: float | None = None
    """Both on the images that its own `fit` held back; two contenders may have held back different ones."""
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    macro_f1: float | None = None
    average_precision: float | None = None
    """Mean over the labels. These four on the images of --data; accuracy of several labels is that of known answers."""
    in_training: int | None = None
    """Images of --data that it was trained on."""
    images_per_s: dict[str, float] = field(default_factory=dict)
    """Engine -> speed of inference alone, measured now on this machine."""
    note: str | None = None

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        names = [name for name in self.__slots__ if name != "package"]
        values = {name: getattr(self, name) for name in names}
        return {**values, "accuracy_interval": list(self.accuracy_interval) if self.accuracy_interval else None}


def contenders(paths: Iterable[Path]) -> list[Contender]:
    """A row for each package, and for each attempt of a folder of attempts, finished or not. Raises PackageError."""
    found = [row for path in paths for row in _below(path)]
    different = {row.path: row for row in found}
    return list(different.values())


def measured(rows: Sequence[Contender], data: Request | None, *, with_speed: bool) -> list[Contender]:
    """The rows with what is measured now: scores on `data`, and images per second of each engine."""
    done = []
    for row in progress(rows, len(rows), "model", "comparing"):
        known = row
        if row.package is not None and data is not None:
            known = _scored(known, row.package, data)
        if row.package is not None and with_speed:
            known = replace(known, images_per_s=images_per_s(row.package))
        done.append(known)
    if data is not None and done and all(row.accuracy is None for row in done):
        raise DataError(f"{data.data}: no model could be evaluated on it; {done[0].path}: {done[0].note}")
    return done


def by_architecture(rows: Sequence[Contender]) -> list[dict[str, Any]]:
    """For each architecture: models, mean and spread of accuracy, mean macro F1. On --data where there is one."""
    groups: dict[str, list[Contender]] = {}
    for row in rows:
        if row.architecture and row.package is not None:
            groups.setdefault(row.architecture, []).append(row)
    report = []
    for architecture, members in groups.items():
        accuracies = _known(row.accuracy if row.accuracy is not None else row.val_accuracy for row in members)
        scores = _known(row.macro_f1 if row.macro_f1 is not None else row.val_macro_f1 for row in members)
        report.append(
            {
                "architecture": architecture,
                "models": len(members),
                "accuracy": statistics.fmean(accuracies) if accuracies else None,
                "accuracy_sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
                "best_accuracy": max(accuracies, default=None),
                "macro_f1": statistics.fmean(scores) if scores else None,
            }
        )
    return sorted(report, key=lambda group: -(group["accuracy"] or 0.0))


def _below(path: Path) -> list[Contender]:
    if (path / CARD_FILE).is_file():
        return [_from_card(str(path), read_package(path))]
    if (path / PACKAGE_FOLDER / CARD_FILE).is_file():
        return [_from_card(str(path), read_package(path / PACKAGE_FOLDER))]
    numbered = attempts(path)
    if not numbered:
        raise PackageError(f"{path}: wanted a model package, an attempt, or a folder of attempts")
    return [
        row
        for attempt in numbered
        for row in (
            _below(attempt)
            if (attempt / PACKAGE_FOLDER / CARD_FILE).is_file()
            else [Contender(str(attempt), note="not finished")]
        )
    ]


def _from_card(path: str, package: Package) -> Contender:
    """What the card does not say, as that of an imported model, is None."""
    card = package.card
    known: Mapping[str, Any] = {**card.hyperparameters, **card.metrics, **card.metrics.get("training", {})}
    per_class, peak = known.get("per_class", known.get("per_label")), known.get("peak_memory_bytes")
    return Contender(
        path=path,
        package=package,
        name=card.name,
        model_version=package.version,
        architecture=known.get("architecture"),
        labels=len(card.labels),
        image_size_px=card.input.height,
        parameters=known.get("parameters"),
        size_mb=_sizes(package),
        epochs=known.get("epochs_run"),
        seconds_per_epoch=known.get("seconds_per_epoch", {}),
        peak_memory_mb=None if peak is None else peak / MEGABYTE,
        val_accuracy=known.get("val_accuracy"),
        val_macro_f1=macro(per_class)["f1"] if per_class else None,
    )


def _scored(row: Contender, package: Package, data: Request) -> Contender:
    """The row with its scores, or with a note why it has none."""
    try:
        found = evaluate_package(package, data).document()
    except (DataError, PackageError) as problem:
        log(f"{row.path}: {problem}")
        return replace(row, note=str(problem))
    interval = found["accuracy_interval"]
    return replace(
        row,
        accuracy=found["accuracy"],
        accuracy_interval=(interval[0], interval[1]) if interval else None,
        macro_f1=found["macro_f1"] if found["images"]["evaluated"] else None,
        average_precision=found.get("mean_average_precision", found.get("macro_average_precision")),
        in_training=found["images"]["in_training"],
        note="; ".join(found["notes"]) or None,
    )


def _sizes(package: Package) -> dict[str, float]:
    files = {"openvino": OPENVINO_FILES, "keras": (KERAS_FILE,)}
    return {
        engine: sum((package.path / name).stat().st_size for name in files[engine]) / MEGABYTE
        for engine in package.engines
        if engine in files
    }


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
