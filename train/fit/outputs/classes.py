"""Training of the output kind `classes`: each image shows one of many."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.records import Scores
from train.data.class_weights import loss_weights
from train.evaluate.calibration import calibrate
from train.evaluate.metrics import accuracy, confusion_matrix, macro, per_class
from train.evaluate.plots import confusion_figure
from train.fit.outputs.kind import Solved, Targets, TrainedKind
from train.images.answers import Answers
from train.settings import FitSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _targets(settings: FitSettings, answers: Answers, labels: Sequence[str], train: NDArray[np.int64]) -> Targets:
    """One-hot, (N, C)."""
    return Targets(answers, loss_weights(settings.class_weights, answers, labels, train))


def _loss(settings: FitSettings) -> Any:
    from train.optimization.optimizer import make_loss

    return make_loss(settings)


def _solve(settings: FitSettings, features: NDArray[np.float32], targets: Targets) -> Solved:
    from train.optimization.solving import solve_head

    smoothing = settings.label_smoothing
    smooth = targets.values * (1 - smoothing) + smoothing / targets.values.shape[1]
    found = solve_head(features, smooth, targets.weights, settings.seed)
    return Solved(found.kernel, found.bias, (found.penalty,), *found.measured(features[0], smooth, targets.weights))


def _validate(logits: Scores, answers: Answers) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    raw, truth = logits.astype(np.float64), answers.argmax(axis=1)
    highest = raw.max(axis=1, keepdims=True)
    logs = raw - highest - np.log(np.exp(raw - highest).sum(axis=1, keepdims=True))
    return -float(logs[np.arange(len(truth)), truth].mean()), float((raw.argmax(axis=1) == truth).mean())


def _measure(logits: Scores, answers: Answers, labels: Sequence[str]) -> dict[str, Any]:
    truth, predicted = answers.argmax(axis=1), logits.argmax(axis=1)
    raw, fitted = calibrate(logits, truth)
    report = per_class(truth, predicted, labels)
    return {
        "val_accuracy": accuracy(truth, predicted),
        "val_loss": raw.nll,
        "macro_f1": macro(report)["f1"],
        "per_class": report,
        "confusion_matrix": confusion_matrix(truth, predicted, len(labels)).tolist(),
        "calibration": {
            "temperature": fitted.temperature,
            "error_before": raw.ece,
            "error_after": fitted.ece,
            "loss_before": raw.nll,
            "loss_after": fitted.nll,
        },
    }


def _figure(logits: Scores, answers: Answers, labels: Sequence[str]) -> "Figure":
    return confusion_figure(answers.argmax(axis=1), logits.argmax(axis=1), labels)


CLASSES: Final = TrainedKind(_targets, _loss, lambda: "accuracy", _solve, _validate, None, _measure, _figure)
