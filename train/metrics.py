"""How good a set of predictions is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def confusion_matrix(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Counts:
    """Images by true label (row) and predicted label (column), (C, C)."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def accuracy(matrix: Counts) -> float:
    """Share of the images on the diagonal; 0 where there are none."""
    total = int(matrix.sum())
    return float(np.trace(matrix)) / total if total else 0.0


def per_class(matrix: Counts, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and number of true images of each label; a share of nothing is 0."""
    report = {}
    for at, label in enumerate(labels):
        hits, support, claimed = int(matrix[at, at]), int(matrix[at].sum()), int(matrix[:, at].sum())
        precision, recall = _share(hits, claimed), _share(hits, support)
        f1 = _share(2 * precision * recall, precision + recall)
        report[label] = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    return report


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
