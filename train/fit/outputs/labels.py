"""Training of the output kind `labels`: each label is yes or no by itself, and what is not known counts for nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.model.outputs.labels import sigmoid
from eoltag.records import Scores
from train.data.class_weights import answer_weights
from train.evaluate.labels.calibration import fit_platt
from train.evaluate.labels.metrics import label_accuracy, label_loss, mean_average_precision, measure_labels
from train.evaluate.labels.plots import scores_figure
from train.evaluate.metrics import macro
from train.fit.outputs.kind import Solved, Targets, TrainedKind
from train.images.answers import Answers
from train.settings import FitSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _targets(settings: FitSettings, answers: Answers, labels: Sequence[str], train: NDArray[np.int64]) -> Targets:
    """(N, 2C): the answers, 0 where unknown, and beside them the weight of each, which is 0 there.

    The mean weight of an image's C answers is 1 over the rows to train on, whatever share of them is known.
    """
    weights = answer_weights(settings.class_weights, answers, labels, train)
    weights *= len(train) * len(labels) / weights[train].sum()
    return Targets(np.hstack([np.nan_to_num(answers), weights]), np.ones(len(answers), np.float32))


def _loss(settings: FitSettings) -> Any:
    import keras

    smoothing = settings.label_smoothing

    def masked_binary_crossentropy(targets: Any, logits: Any) -> Any:
        """Mean over the labels of an image, by their weights."""
        answers, weights = keras.ops.split(keras.ops.cast(targets, logits.dtype), 2, axis=-1)
        smooth = answers * (1 - smoothing) + smoothing / 2
        return keras.ops.mean(weights * (keras.ops.softplus(logits) - smooth * logits), axis=-1)

    return masked_binary_crossentropy


def _metric() -> Any:
    import keras

    def accuracy(targets: Any, logits: Any) -> Any:
        """Share of an image's known answers that are right."""
        answers, weights = keras.ops.split(keras.ops.cast(targets, logits.dtype), 2, axis=-1)
        known = keras.ops.cast(weights > 0, logits.dtype)
        right = keras.ops.cast((logits >= 0) == (answers > 0.5), logits.dtype)
        return keras.ops.sum(known * right, axis=-1) / keras.ops.maximum(keras.ops.sum(known, axis=-1), 1.0)

    return accuracy


def _solve(settings: FitSettings, features: NDArray[np.float32], targets: Targets) -> Solved:
    """A logistic regression for each label, over the images whose answer is known."""
    from train.optimization.solving import SIGMOID, solve_head

    answers, weights = np.split(targets.values, 2, axis=1)
    weights = weights * targets.weights[:, None]
    smooth = answers * (1 - settings.label_smoothing) + settings.label_smoothing / 2
    found = []
    for at in range(answers.shape[1]):
        known = np.flatnonzero(weights[:, at])
        column = smooth[known, at : at + 1]
        found.append(solve_head(features[:, known], column, weights[known, at], settings.seed, SIGMOID))
    kernel = np.hstack([one.kernel for one in found])
    bias = np.concatenate([one.bias for one in found])
    logits = features[0] @ kernel + bias
    loss = float((weights * (np.logaddexp(0, logits) - smooth * logits)).mean())
    known_answers = np.where(weights > 0, answers, np.float32(np.nan))
    return Solved(kernel, bias, tuple(one.penalty for one in found), loss, label_accuracy(logits, known_answers))


def _validate(logits: Scores, answers: Answers) -> tuple[float, float]:
    return label_loss(logits, answers), label_accuracy(logits, answers)


def _measure(logits: Scores, answers: Answers, labels: Sequence[str]) -> dict[str, Any]:
    measures = measure_labels(sigmoid(logits, 1.0), answers, labels)
    report = {one.label: one.document() for one in measures}
    return {
        "val_accuracy": label_accuracy(logits, answers),
        "val_loss": label_loss(logits, answers),
        "mean_average_precision": mean_average_precision(measures),
        "macro_f1": macro(report)["f1"],
        "per_label": report,
    }


def _figure(logits: Scores, answers: Answers, labels: Sequence[str]) -> "Figure":
    return scores_figure(sigmoid(logits, 1.0), answers, labels)


LABELS: Final = TrainedKind(_targets, _loss, _metric, _solve, _validate, fit_platt, _measure, _figure)
