"""`evaluate` of a package of several labels: how good each label is on images of which its answer is known."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError
from eoltag.model.package import Package
from eoltag.records import JOINER, Scores
from train.evaluate.images import HELD_BACK, find_images
from train.evaluate.labels.calibration import binary_calibration
from train.evaluate.labels.metrics import (
    LabelMeasures,
    label_accuracy,
    label_loss,
    mean_average_precision,
    measure_labels,
)
from train.evaluate.metrics import macro, mean_area
from train.evaluate.run import Request, counts, failed, known_images, score_requested, standing_notes
from train.evaluate.scoring import ScoredSet
from train.records import ImageSet

SHOWN: Final = 0.5
"""The probability from which a label counts as given."""


@dataclass(frozen=True, slots=True)
class LabelEvaluation:
    """Everything that is known about a package of several labels and a set of images."""

    package: Package
    request: Request
    found: ImageSet
    scored: ScoredSet
    is_training_known: bool
    probabilities: Scores
    """(N, C)."""
    measures: list[LabelMeasures]

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the scores."""
        return self.found.labels

    @property
    def mistakes(self) -> list[tuple[int, int]]:
        """(row, label) of each known answer that the model gets wrong, the surest first."""
        given, answers = self.probabilities >= SHOWN, self.scored.answers
        rows, columns = np.nonzero((given != (answers == 1)) & ~np.isnan(answers))
        doubt = -np.abs(self.probabilities[rows, columns] - SHOWN)
        order = np.argsort(doubt, kind="stable")
        return [(int(rows[at]), int(columns[at])) for at in order]

    def row_document(self, at: int) -> dict[str, Any]:
        """One image that was read: what is known of it, and what the model gives it."""
        image, row = self.scored.images[at].image, self.probabilities[at]
        given = [label for label, probability in zip(self.labels, row, strict=True) if probability >= SHOWN]
        return {
            "path": image.shown,
            "labels": image.label,
            "absent": JOINER.join(image.absent),
            "given": JOINER.join(given),
            "scores": {label: float(value) for label, value in zip(self.labels, row, strict=True)},
            "source": (image.row.page or image.row.source_url) if image.row else None,
        }

    def mistake_document(self, row: int, column: int) -> dict[str, Any]:
        """One wrong answer."""
        image = self.scored.images[row].image
        return {
            "path": image.shown,
            "label": self.labels[column],
            "is_there": bool(self.scored.answers[row, column] == 1),
            "probability": float(self.probabilities[row, column]),
        }

    def notes(self) -> list[str]:
        """What a reader must know to read the numbers right."""
        is_known = self.is_training_known
        notes = standing_notes(self.found, self.scored, self.request, is_training_known=is_known)
        silent = [one.label for one in self.measures if one.curve.pr_area is None]
        if silent:
            notes.append(f"all known answers of {', '.join(silent)} are alike, so that no area can be measured")
        return notes

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        logits, answers = self.scored.logits, self.scored.answers
        report = {one.label: {**one.document(), **self._calibrated(at)} for at, one in enumerate(self.measures)}
        means = macro(report)
        scaled = logits / self.package.card.temperature
        return {
            "package": str(self.package.path),
            "name": self.package.card.name,
            "model_version": self.package.version,
            "output_kind": self.package.card.output_kind,
            "data": str(self.found.data),
            "split": self.request.split if self.request.split == HELD_BACK else self.found.part,
            "labels": list(self.labels),
            "images": counts(self.scored, is_training_known=self.is_training_known),
            "accuracy": label_accuracy(logits, answers),
            "accuracy_interval": None,
            "loss": label_loss(scaled, answers),
            "mean_average_precision": mean_average_precision(self.measures),
            "mean_roc_auc": mean_area([one.curve.roc_area for one in self.measures]),
            "macro_precision": means["precision"],
            "macro_recall": means["recall"],
            "macro_f1": means["f1"],
            "per_label": report,
            "curves": {one.label: one.curve.document() for one in self.measures},
            "wrong": [self.mistake_document(*place) for place in self.mistakes],
            "unreadable": [failed(image) for image in self.scored.unreadable],
            "notes": self.notes(),
        }

    def _calibrated(self, at: int) -> dict[str, float | None]:
        """Expected calibration error of one label."""
        answers = self.scored.answers[:, at]
        known = ~np.isnan(answers)
        if not known.any():
            return {"calibration_error": None}
        scaled = self.scored.logits[known, at] / self.package.card.temperature
        return {"calibration_error": binary_calibration(scaled, answers[known] == 1).ece}


def evaluate_labels(package: Package, request: Request) -> LabelEvaluation:
    """Find, decode, score and measure. Raises DataError and PackageError."""
    for name, given in (("--map", request.label_map), ("--slice", request.slices), ("--breakdown", request.breakdowns)):
        if given:
            raise DataError(f"{package.path}: {name}: is for packages of classes. Received: a package of labels")
    found = find_images(request.data, package.card.labels, request.split, has_several=True)
    in_training = known_images(package, request)
    scored = score_requested(package, request, found, in_training)
    probabilities = package.card.probabilities(scored.logits)
    measures = measure_labels(probabilities, scored.answers, found.labels)
    return LabelEvaluation(package, request, found, scored, in_training is not None, probabilities, measures)
