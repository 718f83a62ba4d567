"""`evaluate`: how good a package is on images whose label is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import DataError
from eoltag.model.outputs.classes import softmax
from eoltag.model.package import Package
from eoltag.records import Scores
from train.evaluate.calibration import LEAST_IMAGES, Calibration, cross_calibrate
from train.evaluate.classify import EngineChoice
from train.evaluate.images import HELD_BACK, SplitChoice, find_images
from train.evaluate.label_map import LabelMap, read_label_map
from train.evaluate.metrics import (
    Curve,
    accuracy,
    confusion_matrix,
    curves,
    macro,
    mean_area,
    per_class,
    wilson_interval,
)
from train.evaluate.scoring import InTraining, ScoredImage, ScoredSet, score_images, wanted
from train.evaluate.slices import Ancestries, read_ancestries, slices
from train.package.data_table import read_data_table
from train.records import ImageSet, Split

LEVEL: Final = 0.95
"""Level of the confidence intervals."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated, and how."""

    data: Path
    split: SplitChoice | None = None
    engine: EngineChoice = "auto"
    is_unseen_only: bool = False
    slices: tuple[str, ...] = ()
    breakdowns: tuple[Path, ...] = ()
    label_map: str | None = None
    """LABEL=NAME,...; see read_label_map."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that is known about a package and a set of images."""

    package: Package
    request: Request
    found: ImageSet
    scored: ScoredSet
    is_training_known: bool
    ancestries: Ancestries
    probabilities: Scores
    """(N, C), with the card's temperature."""
    curves: list[Curve]
    before: Calibration | None
    after: Calibration | None
    slices: list[dict[str, Any]]

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the scores."""
        return self.found.labels

    @property
    def wrong(self) -> list[int]:
        """Rows whose label is not the true one, the surest first."""
        predicted = self.scored.predicted
        rows = np.flatnonzero(predicted != self.scored.truth)
        order = np.argsort(-self.probabilities[rows, predicted[rows]], kind="stable")
        return [int(row) for row in rows[order]]

    def row_document(self, at: int) -> dict[str, Any]:
        """One image that was read."""
        image, top = self.scored.images[at].image, int(self.scored.predicted[at])
        source = (image.row.page or image.row.source_url) if image.row else None
        return {
            "path": image.shown,
            "truth": image.label,
            "label": self.labels[top],
            "confidence": float(self.probabilities[at, top]),
            "logit": float(self.scored.logits[at, top]),
            "source": source,
        }

    def notes(self) -> list[str]:
        """What a reader must know to read the numbers right."""
        is_known = self.is_training_known
        notes = standing_notes(self.found, self.scored, self.request, is_training_known=is_known)
        if self.before and self.after is None:
            notes.append(f"fewer than {LEAST_IMAGES} images: no temperature was fitted")
        return notes

    def _shares(self) -> NDArray[np.float64]:
        return confusion_matrix(self.scored.truth, self.scored.predicted, len(self.labels), is_normalised=True)

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        images, truth, predicted = self.scored.images, self.scored.truth, self.scored.predicted
        report = per_class(truth, predicted, self.labels)
        means, hits = macro(report), int((truth == predicted).sum())
        areas = {curve.label: curve.document() for curve in self.curves}
        return {
            "package": str(self.package.path),
            "name": self.package.card.name,
            "model_version": self.package.version,
            "data": str(self.found.data),
            "split": self.request.split if self.request.split == HELD_BACK else self.found.part,
            "labels": list(self.labels),
            "map": self.request.label_map,
            "images": counts(self.scored, is_training_known=self.is_training_known),
            "accuracy": accuracy(truth, predicted) if images else None,
            "accuracy_interval": list(wilson_interval(hits, len(images), LEVEL)) if images else None,
            "macro_precision": means["precision"],
            "macro_recall": means["recall"],
            "macro_f1": means["f1"],
            "per_class": report,
            "confusion": confusion_matrix(truth, predicted, len(self.labels)).tolist(),
            "confusion_normalised": self._shares().round(6).tolist(),
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
            "unreadable": [failed(image) for image in self.scored.unreadable],
            "notes": self.notes(),
        }


def evaluate(package: Package, request: Request) -> Evaluation:
    """Find, decode, score and measure. Raises DataError, PackageError and BundleError."""
    temperature, mapping = package.card.temperature, read_label_map(request.label_map, package.card.labels)
    found = find_images(request.data, package.card.labels, request.split, mapping)
    labels = found.labels
    in_training = known_images(package, request)
    ancestries = read_ancestries(request.breakdowns, found.images)
    slices(None, labels, request.slices, ancestries)  # a mistake in them is told before the work
    scored = score_requested(package, request, found, in_training, mapping)
    probabilities = softmax(scored.logits, temperature) if scored.images else scored.logits
    fits = cross_calibrate(scored.logits, scored.truth, temperature) if scored.images else (None, None)
    return Evaluation(
        package=package,
        request=request,
        found=found,
        scored=scored,
        is_training_known=in_training is not None,
        ancestries=ancestries,
        probabilities=probabilities,
        curves=curves(scored.truth, probabilities, labels) if scored.images else [],
        before=fits[0],
        after=fits[1],
        slices=slices(scored, labels, request.slices, ancestries),
    )


def known_images(package: Package, request: Request) -> InTraining | None:
    """What the package records of its training images. Raises DataError where they are asked for and not recorded."""
    in_training = read_data_table(package)
    if in_training is None and (request.is_unseen_only or request.split == HELD_BACK):
        raise DataError(f"{package.path}: does not record its training images, so they cannot be told from others")
    return in_training


def score_requested(
    package: Package, request: Request, found: ImageSet, in_training: InTraining | None, mapping: LabelMap | None = None
) -> ScoredSet:
    """The images that the request wants, scored. Raises DataError where there is none, PackageError."""
    keep = wanted(request.split, is_unseen_only=request.is_unseen_only)
    scored = score_images(package, found, in_training, request.engine, keep, mapping)
    if not scored.images and not scored.unreadable:
        kind = "recorded as held back from training" if request.split == HELD_BACK else "new to the model"
        raise DataError(f"{request.data}: none of its {len(found.images)} images is {kind}")
    return scored


def counts(scored: ScoredSet, *, is_training_known: bool) -> dict[str, int | None]:
    """How many images there were, for a document."""
    return {
        "evaluated": len(scored.images),
        "unreadable": len(scored.unreadable),
        "left_out": scored.left_out,
        "in_training": scored.count(Split.TRAIN) if is_training_known else None,
        "held_back": scored.count(Split.VAL) if is_training_known else None,
    }


def standing_notes(found: ImageSet, scored: ScoredSet, request: Request, *, is_training_known: bool) -> list[str]:
    """What a reader of any evaluation must know to read the numbers right."""
    notes, trained_on = list(found.notes), scored.count(Split.TRAIN)
    if not is_training_known:
        notes.append("the package does not record its training images, so none of these can be told from them")
    if trained_on:
        notes.append(
            f"{trained_on} of {len(scored.images)} images were in training, which makes the model look "
            "better than it is; --unseen leaves them out"
        )
    if scored.left_out:
        notes.append(left_out(scored.left_out, request.split))
    return notes


def left_out(images: int, split: SplitChoice | None) -> str:
    """A note on images that were not looked at."""
    if split == HELD_BACK:
        return f"{images} other images were left out, since only those that `fit` held back were asked for"
    return f"{images} images were left out, since the model was trained on them"


def failed(one: ScoredImage) -> dict[str, Any]:
    """One image that could not be read."""
    return {
        "path": one.image.shown,
        "truth": one.image.label,
        "outcome": str(one.outcome),
        "detail": one.detail,
    }
