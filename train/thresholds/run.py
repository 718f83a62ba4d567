"""`thresholds`: for each label the lowest score that keeps its error below a promise, on images new to the model."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from eoltag.audit.risk_control import SCALES, Point, RiskCurve, Scale, risk_curve
from eoltag.errors import DataError, SettingsError
from eoltag.model.package import Card, Package, write_beside, write_card
from eoltag.records import Scores
from train.evaluate.images import HELD_BACK, find_images
from train.evaluate.label_map import read_label_map
from train.evaluate.run import Request, known_images, left_out, score_requested
from train.evaluate.scoring import InTraining, ScoredSet, count_trained_on
from train.images.answers import Answers
from train.package.model_card import README_FILE, with_thresholds
from train.records import ImageSet, Split

METHOD: Final = "fixed-sequence testing from the highest threshold down, with exact binomial (Clopper-Pearson) bounds"


@dataclass(frozen=True, slots=True)
class RiskTarget:
    """The error that thresholds must keep to, and the images that show it."""

    request: Request
    max_error: float
    confidence_level: float = 0.95
    scale: Scale = "logit"
    may_be_seen: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Error by threshold for all labels on both scales, and the thresholds that were chosen."""

    package: Package
    target: RiskTarget
    found: ImageSet
    scored: ScoredSet
    curves: dict[Scale, list[RiskCurve]]
    in_training: int | None
    """Images used that the model was trained on; None where the package does not say."""
    copies: int
    """Images that were left out as the same bytes as another one."""

    @property
    def chosen(self) -> dict[str, Point]:
        """On the scale that was asked for; labels that cannot keep the promise are missing."""
        return {one.label: one.chosen for one in self.curves[self.target.scale] if one.chosen is not None}

    @property
    def unmet(self) -> dict[str, str]:
        """Label -> why it has no threshold."""
        reasons = {one.label: one.reason(self.target.max_error) for one in self.curves[self.target.scale]}
        return {label: reason for label, reason in reasons.items() if reason}

    @property
    def plain(self) -> dict[str, Point]:
        """Of labels without a threshold: the lowest one above which the error was small enough on these images."""
        curves = {one.label: one for one in self.curves[self.target.scale] if one.label in self.unmet}
        found = {label: one.plain(self.target.max_error) for label, one in curves.items()}
        return {label: point for label, point in found.items() if point is not None}

    def notes(self) -> list[str]:
        """What a reader must know to read the numbers right."""
        notes = list(self.found.notes)
        if self.in_training is None:
            notes.append(
                "the package does not record its training images; if it was trained on some of these, the thresholds "
                "are too low"
            )
        elif self.in_training:
            notes.append(f"{self.in_training} images were in training: the thresholds are too low, the promise is void")
        if self.scored.count(Split.VAL):
            notes.append(
                "the images that `fit` held back also chose its best epoch, which weakens the promise a little; images "
                "that it never had are better"
            )
        if self.copies:
            notes.append(f"{self.copies} images are the same file as another one and count once")
        if self.scored.left_out:
            notes.append(left_out(self.scored.left_out, self.target.request.split))
        return notes

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "package": str(self.package.path),
            "name": self.package.card.name,
            "model_version": self.package.version,
            "data": str(self.found.data),
            "split": self.found.part,
            "images": {
                "used": len(self.scored.images) - self.copies,
                "copies": self.copies,
                "unreadable": len(self.scored.unreadable),
                "left_out": self.scored.left_out,
                "in_training": self.in_training,
            },
            "output_kind": self.package.card.output_kind,
            "on": self.target.scale,
            "max_error": self.target.max_error,
            "confidence_level": self.target.confidence_level,
            "method": METHOD,
            "thresholds": {label: point.threshold for label, point in self.chosen.items()},
            "chosen": {label: point.document() for label, point in self.chosen.items()},
            "unmet": self.unmet,
            "no_promise": {label: point.document() for label, point in self.plain.items()},
            "previous": {
                "thresholds": self.package.card.thresholds,
                "on": self.package.card.threshold_record.get("on"),
            },
            "sweeps": {scale: [_curve_document(one) for one in found] for scale, found in self.curves.items()},
            "unreadable": [
                {"path": row.image.shown, "outcome": str(row.outcome), "detail": row.detail}
                for row in self.scored.unreadable
            ],
            "notes": self.notes(),
        }


def select_thresholds(package: Package, target: RiskTarget) -> Selection:
    """Score the images and take the lowest thresholds that keep the target.

    Raises SettingsError, PackageError, and DataError for images that the model knows.
    """
    for name, value in (("--max-error", target.max_error), ("--confidence-level", target.confidence_level)):
        if not 0 < value < 1:
            raise SettingsError(f"{name}: wanted a share above 0 and below 1, such as 0.05. Received: {value:g}")
    request = target.request
    mapping = read_label_map(request.label_map, package.card.labels)
    has_several = package.card.output_kind == "labels"
    if has_several and request.label_map:
        raise DataError(f"{package.path}: --map: is for packages of classes. Received: a package of labels")
    found = find_images(request.data, package.card.labels, request.split, mapping, has_several=has_several)
    in_training = known_images(package, request)
    _check_unseen(package, target, found, in_training)
    scored = score_requested(package, request, found, in_training, mapping)
    if not scored.images:
        raise DataError(f"{request.data}: no image is left of {len(found.images)} that could be read and is wanted")
    first = _first_of_each(scored)
    known = sum(scored.images[at].in_training is Split.TRAIN for at in first)
    return Selection(
        package=package,
        target=target,
        found=found,
        scored=scored,
        curves={scale: _risk_curves(package.card, found, scored, first, scale, target) for scale in SCALES},
        in_training=None if in_training is None else known,
        copies=len(scored.images) - len(first),
    )


def write_thresholds(selection: Selection) -> Package:
    """Put the thresholds and how they were chosen on the card and in README.md; the model version stays.

    Raises PackageError.
    """
    target, rows = selection.target, selection.scored.images
    digest = hashlib.sha256("\n".join(sorted({row.sha256 for row in rows})).encode()).hexdigest()
    record = {
        "on": target.scale,
        "max_error": target.max_error,
        "confidence_level": target.confidence_level,
        "method": METHOD,
        "images": len(rows) - selection.copies,
        "images_digest": digest,
        "in_training": selection.in_training,
        "chosen": {label: point.document() for label, point in selection.chosen.items()},
        "unmet": selection.unmet,
        "chosen_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    thresholds = {label: point.threshold for label, point in selection.chosen.items()}
    card = selection.package.card.model_copy(update={"thresholds": thresholds, "threshold_record": record})
    readme = selection.package.path / README_FILE
    if readme.is_file():
        text = with_thresholds(readme.read_text(encoding="utf-8"), card)
        return write_beside(selection.package, card, README_FILE, text)
    return write_card(selection.package.path, card)


def _check_unseen(package: Package, target: RiskTarget, found: ImageSet, in_training: InTraining | None) -> None:
    request = target.request
    is_chosen_by_seen = request.is_unseen_only or request.split == HELD_BACK
    if in_training is None or is_chosen_by_seen or target.may_be_seen:
        return
    if known := count_trained_on(found.images, in_training):
        raise DataError(
            f"{request.data}: {known} of its {len(found.images)} images were in the training of {package.path}, so "
            "thresholds chosen on them would be too low. --unseen leaves them out, --split validation takes those that "
            "`fit` held back, --allow-seen uses them all the same"
        )


def _first_of_each(scored: ScoredSet) -> list[int]:
    """Rows, the same bytes under one label only once: a copy is no further evidence."""
    first: dict[tuple[str, str], int] = {}
    for at, row in enumerate(scored.images):
        first.setdefault((row.sha256, row.image.label), at)
    return list(first.values())


def _risk_curves(
    card: Card, found: ImageSet, scored: ScoredSet, rows: list[int], scale: Scale, target: RiskTarget
) -> list[RiskCurve]:
    logits, truth = scored.logits[rows], scored.truth[rows]
    scores = logits if scale == "logit" else card.probabilities(logits)
    if card.output_kind == "labels":
        return _label_curves(found, scores, scored.answers[rows], scale, target)
    predicted = logits.argmax(axis=1)
    top = scores[np.arange(len(rows)), predicted]
    return [
        risk_curve(
            label,
            scale,
            top[predicted == at],
            (truth != at)[predicted == at],
            target.max_error,
            target.confidence_level,
        )
        for at, label in enumerate(found.labels)
    ]


def _label_curves(
    found: ImageSet, scores: Scores, answers: Answers, scale: Scale, target: RiskTarget
) -> list[RiskCurve]:
    """Each label by itself: all images whose answer is known could be given it. scores, answers: (N, C)."""
    curves = []
    for at, label in enumerate(found.labels):
        known = ~np.isnan(answers[:, at])
        wrong = answers[known, at] == 0
        curves.append(risk_curve(label, scale, scores[known, at], wrong, target.max_error, target.confidence_level))
    return curves


def _curve_document(one: RiskCurve) -> dict[str, Any]:
    return {
        "label": one.label,
        "given": one.given,
        "chosen": one.chosen.document() if one.chosen else None,
        "nearest": one.nearest.document() if one.nearest else None,
        "points": [point.document() for point in one.points],
    }
