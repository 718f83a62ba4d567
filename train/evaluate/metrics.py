"""How good a set of predictions is: scikit-learn's measures as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Targets = NDArray[np.int64]
"""Index of the label of each image, (N,)."""
Reals = NDArray[np.float64]

CURVE_POINTS: Final = 200
"""Points of a curve in JSON; the areas are taken from all of them."""


def confusion_matrix(truth: Targets, predicted: Targets, classes: int, *, is_normalised: bool = False) -> NDArray[Any]:
    """Images by true label (row) and predicted label (column), (C, C); normalised: as shares of the true label."""
    from sklearn import metrics

    if not len(truth):
        return np.zeros((classes, classes), np.float64 if is_normalised else np.int64)
    normalize = "true" if is_normalised else None
    matrix: NDArray[Any] = metrics.confusion_matrix(truth, predicted, labels=range(classes), normalize=normalize)
    return matrix


def accuracy(truth: Targets, predicted: Targets) -> float:
    """Share of the images that got their true label; N at least 1."""
    from sklearn import metrics

    return float(metrics.accuracy_score(truth, predicted))


def per_class(truth: Targets, predicted: Targets, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and number of true images of each label; a share of nothing is 0."""
    from sklearn import metrics

    values: Any = np.zeros((4, len(labels)))
    if len(truth):
        values = metrics.precision_recall_fscore_support(truth, predicted, labels=range(len(labels)), zero_division=0)
    return {
        label: {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}
        for label, precision, recall, f1, support in zip(labels, *values, strict=True)
    }


def macro(report: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Plain means of precision, recall and F1 over the labels that have images; 0 where none has."""
    rows = [row for row in report.values() if row["support"]]
    return {name: fmean(row[name] for row in rows) if rows else 0.0 for name in ("precision", "recall", "f1")}


def wilson_interval(hits: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Two-sided confidence interval of a share; (0, 1) where there is nothing to go by.

    Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.
    """
    from scipy.stats import binomtest

    if not total:
        return 0.0, 1.0
    interval = binomtest(hits, total).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


@dataclass(frozen=True, slots=True)
class Curve:
    """ROC and precision-recall of one label against the rest. Areas are None where the label has none or all images."""

    label: str
    roc: tuple[Reals, Reals]
    """False and true positive rate."""
    roc_area: float | None
    precision_recall: tuple[Reals, Reals]
    """Recall and precision."""
    pr_area: float | None
    """Average precision: the area under the steps, without interpolation."""

    def document(self) -> dict[str, Any]:
        """Plain JSON values, the curves thinned."""
        roc, steps = (_thinned(*points) for points in (self.roc, self.precision_recall))
        return {
            "roc_auc": self.roc_area,
            "average_precision": self.pr_area,
            "roc": {"false_positive_rate": roc[0], "true_positive_rate": roc[1]},
            "precision_recall": {"recall": steps[0], "precision": steps[1]},
        }


def curves(truth: Targets, probabilities: NDArray[np.floating[Any]], labels: Sequence[str]) -> list[Curve]:
    """Curves of every label, by its probability (N, C)."""
    return [curve_of(truth == at, probabilities[:, at], label) for at, label in enumerate(labels)]


def mean_area(areas: Sequence[float | None]) -> float | None:
    """Over the labels that have one."""
    known = [area for area in areas if area is not None]
    return fmean(known) if known else None


def curve_of(is_label: NDArray[np.bool_], probability: NDArray[np.floating[Any]], label: str) -> Curve:
    """Curves of one label. is_label: whether each image shows it, (N,). probability: (N,)."""
    from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

    if is_label.all() or not is_label.any():
        nothing = np.empty(0, np.float64)
        return Curve(label, (nothing, nothing), None, (nothing, nothing), None)
    false_rate, true_rate, _ = roc_curve(is_label, probability)
    precision, recall, _ = precision_recall_curve(is_label, probability)
    area = float(average_precision_score(is_label, probability))
    return Curve(label, (false_rate, true_rate), float(auc(false_rate, true_rate)), (recall, precision), area)


def _thinned(across: Reals, up: Reals) -> tuple[list[float], list[float]]:
    keep = np.unique(np.linspace(0, max(len(across) - 1, 0), min(CURVE_POINTS, len(across))).astype(int))
    return [round(float(value), 5) for value in across[keep]], [round(float(value), 5) for value in up[keep]]
