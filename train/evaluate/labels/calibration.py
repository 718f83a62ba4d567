"""Platt scaling, one label at a time: the straight line through its logits that makes its probabilities honest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from train.evaluate.calibration import Calibration, bins_of, error_of
from train.images.answers import Answers

LEAST_SLOPE: Final = 0.05
MOST_SLOPE: Final = 20.0
LEAST_OF_EACH: Final = 5
"""Images that show the label, and that do not: fewer say nothing of a line through the logits."""

Reals = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Platt:
    """The line slope * logit + offset of each label, and what it does."""

    slopes: NDArray[np.float64]
    """(C,), above 0, so that no order of images changes."""
    offsets: NDArray[np.float64]
    """(C,)."""

    def applied(self, logits: Reals) -> NDArray[np.float32]:
        """Calibrated logits (N, C)."""
        found: NDArray[np.float32] = (logits * self.slopes + self.offsets).astype(np.float32)
        return found

    def document(self, logits: Reals, answers: Answers, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Label -> its line, with calibration error and loss before and after it. logits: before it, (N, C)."""
        report = {}
        for at, label in enumerate(labels):
            known = ~np.isnan(answers[:, at])
            shown = answers[known, at] == 1
            before = binary_calibration(logits[known, at], shown)
            after = binary_calibration(self.applied(logits)[known, at], shown)
            report[label] = {
                "slope": float(self.slopes[at]),
                "offset": float(self.offsets[at]),
                "error_before": before.ece,
                "error_after": after.ece,
                "loss_before": before.nll,
                "loss_after": after.nll,
            }
        return report


def fit_platt(logits: Reals, answers: Answers) -> Platt:
    """The line of each label with the least cross-entropy on the known answers; as it is where there are too few.

    Both (N, C). Source: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its targets: of n
    images that show a label each is given (n + 1) / (n + 2), of n others 1 / (n + 2).
    """
    lines = [_line(logits[~np.isnan(row), at].astype(np.float64), row[~np.isnan(row)] == 1)
             for at, row in enumerate(answers.T)]  # fmt: skip
    return Platt(np.array([slope for slope, _ in lines]), np.array([offset for _, offset in lines]))


def binary_calibration(logits: Reals, shown: NDArray[np.bool_]) -> Calibration:
    """Calibration of one label's probability sigmoid(logits), (N,). N at least 1."""
    raw = logits.astype(np.float64)
    bins = bins_of(expit(raw), shown)
    return Calibration(1.0, float((np.logaddexp(0, raw) - shown * raw).mean()), error_of(bins), bins)


def _line(logits: NDArray[np.float64], shown: NDArray[np.bool_]) -> tuple[float, float]:
    yes, no = int(shown.sum()), int((~shown).sum())
    if min(yes, no) < LEAST_OF_EACH:
        return 1.0, 0.0
    wanted = np.where(shown, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        raw = line[0] * logits + line[1]
        wrong = expit(raw) - wanted
        return float((np.logaddexp(0, raw) - wanted * raw).mean()), np.array([(wrong * logits).mean(), wrong.mean()])

    bounds = ((LEAST_SLOPE, MOST_SLOPE), (None, None))
    found: Any = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])
