"""`evaluate`: how good a package is on images whose label is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError
from eoltag.model.package import Package
from eoltag.model.score import score
from eoltag.records import Scores
from train.cli import say
from train.evaluate.calibration import LEAST_IMAGES, Calibration, cross_calibrate
from train.evaluate.classify import EngineChoice
from train.evaluate.images import HELD_BACK, ImageSet, find_images
from train.evaluate.metrics import (
    Counts,
    Curve,
    accuracy,
    confusion_matrix,
    curves,
    macro,
    mean_area,
    normalised,
    per_class,
    wilson_interval,
)
from train.evaluate.scoring import TRAINED_ON, Judged, Judgement, judge, read_seen, wanted
from train.evaluate.slices import Ancestries, read_ancestries, slices

LEVEL: Final = 0.95
"""Of the confidence intervals."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated, and how."""

    data: Path
    split: str | None = None
    engine: EngineChoice = "auto"
    is_unseen_only: bool = False
    slices: tuple[str, ...] = ()
    breakdowns: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that is known about a package and a set of images."""

    package: Package
    request: Request
    found: ImageSet
    judgement: Judgement
    is_seen_known: bool
    ancestries: Ancestries
    probabilities: Scores
    """(N, C), with the card's temperature."""
    matrix: Counts
    curves: list[Curve]
    before: Calibration | None
    after: Calibration | None
    slices: list[dict[str, Any]]

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the scores."""
        return self.package.card.labels

    @property
    def wrong(self) -> list[int]:
        """Rows whose label is not the true one, the surest first."""
        predicted = self.judgement.logits.argmax(axis=1)
        rows = np.flatnonzero(predicted != self.judgement.truth)
        order = np.argsort(-self.probabilities[rows, predicted[rows]], kind="stable")
        return [int(row) for row in rows[order]]

    def row_document(self, at: int) -> dict[str, Any]:
        """One image that was read."""
        row, top = self.judgement.rows[at], int(self.judgement.logits[at].argmax())
        return {
            "path": row.image.shown,
            "truth": self.labels[row.image.target],
            "label": self.labels[top],
            "confidence": float(self.probabilities[at, top]),
            "logit": float(self.judgement.logits[at, top]),
        }

    def notes(self) -> list[str]:
        """What a reader must know to read the numbers right."""
        rows, notes = self.judgement.rows, list(self.found.notes)
        trained_on = count(rows, TRAINED_ON)
        if not self.is_seen_known:
            notes.append("the package does not record its training images, so none of these can be told from them")
        if trained_on:
            notes.append(
                f"{trained_on} of {len(rows)} images were in training, which makes the model look better than it is; "
                "--unseen leaves them out"
            )
        if self.judgement.left_out:
            notes.append(left_out(self.judgement.left_out, self.request.split))
        if self.before and self.after is None:
            notes.append(f"fewer than {LEAST_IMAGES} images: no temperature was fitted")
        return notes

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows, report = self.judgement.rows, per_class(self.matrix, self.labels)
        means = macro(report)
        areas = {curve.label: curve.document() for curve in self.curves}
        return {
            "package": str(self.package.path),
            "name": self.package.card.name,
            "model_version": self.package.version,
            "data": str(self.found.data),
            "split": self.request.split if self.request.split == HELD_BACK else self.found.split,
            "labels": list(self.labels),
            "images": {
                "evaluated": len(rows),
                "unreadable": len(self.judgement.unreadable),
                "left_out": self.judgement.left_out,
                "in_training": count(rows, TRAINED_ON) if self.is_seen_known else None,
                "held_back": count(rows, HELD_BACK) if self.is_seen_known else None,
            },
            "accuracy": accuracy(self.matrix) if rows else None,
            "accuracy_interval": list(wilson_interval(int(self.matrix.trace()), len(rows), LEVEL)) if rows else None,
            "macro_precision": means["precision"],
            "macro_recall": means["recall"],
            "macro_f1": means["f1"],
            "per_class": report,
            "confusion": self.matrix.tolist(),
            "confusion_normalised": normalised(self.matrix).round(6).tolist(),
            "macro_roc_auc": mean_area([curve.roc_area for curve in self.curves]),
            "macro_average_precision": mean_area([curve.pr_area for curve in self.curves]),
            "curves": areas,
            "calibration": {
                "before": self.before.document() if self.before else None,
                "after": self.after.document() if self.after else None,
            },
            "slices": self.slices,
            "missing_classes": list(self.found.missing),
            "misclassified": [self.row_document(at) for at in self.wrong],
            "unreadable": [_failed(row, self.labels) for row in self.judgement.unreadable],
            "notes": self.notes(),
        }


def evaluate(package: Package, request: Request) -> Evaluation:
    """Score every image and measure. Raises DataError, PackageError and BundleError."""
    labels = package.card.labels
    found = find_images(request.data, labels, request.split)
    seen = read_seen(package)
    needs_seen = request.is_unseen_only or request.split == HELD_BACK
    if needs_seen and seen is None:
        raise DataError(f"{package.path}: does not record its training images, so they cannot be told from others")
    ancestries = read_ancestries(request.breakdowns, found.images)
    nothing = Judgement((), (), 0, np.empty((0, len(labels)), np.float32), np.empty(0, np.int64))
    slices(nothing, labels, request.slices, ancestries)  # a mistake in them is told before the work
    keep = wanted(request.split, unseen=request.is_unseen_only)
    judgement = judge(package, found.images, seen, request.engine, keep)
    for row in judgement.unreadable:
        say(f"cannot be read {row.image.path}: {row.outcome}, {row.detail}")
    if not judgement.rows and not judgement.unreadable:
        kind = "recorded as held back from training" if request.split == HELD_BACK else "new to the model"
        raise DataError(f"{request.data}: none of its {len(found.images)} images is {kind}")
    probabilities = score(judgement.logits, package.card.temperature) if judgement.rows else judgement.logits
    fits: tuple[Calibration | None, Calibration | None] = (None, None)
    if judgement.rows:
        fits = cross_calibrate(judgement.logits, judgement.truth, package.card.temperature)
    return Evaluation(
        package=package,
        request=request,
        found=found,
        judgement=judgement,
        is_seen_known=seen is not None,
        ancestries=ancestries,
        probabilities=probabilities,
        matrix=confusion_matrix(judgement.truth, judgement.logits.argmax(axis=1), len(labels)),
        curves=curves(judgement.truth, probabilities, labels) if judgement.rows else [],
        before=fits[0],
        after=fits[1],
        slices=slices(judgement, labels, request.slices, ancestries),
    )


def left_out(images: int, split: str | None) -> str:
    """A note on images that were not looked at."""
    if split == HELD_BACK:
        return f"{images} other images were left out, since only those that `fit` held back were asked for"
    return f"{images} images were left out, since the model was trained on them"


def count(rows: Sequence[Judged], part: str) -> int:
    """Rows of that part in training."""
    return sum(1 for row in rows if row.seen == part)


def _failed(row: Judged, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "path": row.image.shown,
        "truth": labels[row.image.target],
        "outcome": str(row.outcome),
        "detail": row.detail,
    }
