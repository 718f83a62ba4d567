"""How far probabilities can be believed, and the temperature that makes them believable."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from eoltag.records import Scores
from eoltag.score import score

BINS: Final = 15
LEAST: Final = 0.05
MOST: Final = 20.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a temperature changes on the images it was fitted to."""

    temperature: float
    error_before: float
    """Expected calibration error, 0 to 1."""
    error_after: float
    loss_before: float
    """Mean cross-entropy."""
    loss_after: float


def calibrate(logits: Scores, targets: NDArray[np.int64]) -> Calibration:
    """Fit the temperature to the logits (N, C) of images that were not trained on. N at least 1."""
    temperature = fit_temperature(logits, targets)
    before, after = score(logits, 1.0), score(logits, temperature)
    return Calibration(
        temperature,
        calibration_error(before, targets),
        calibration_error(after, targets),
        cross_entropy(logits, targets),
        cross_entropy(logits / temperature, targets),
    )


def fit_temperature(logits: Scores, targets: NDArray[np.int64]) -> float:
    """The temperature with the least cross-entropy, 0.05 to 20.

    Source: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. The true label of each of N images is
    given the probability (N + 1) / (N + 2), after J. Platt (1999): where all are right, the best would else be 0.
    """
    scaled = np.asarray(logits, np.float64)
    count, classes = scaled.shape
    certain = (count + 1) / (count + 2)
    wanted = np.full(scaled.shape, (1 - certain) / (classes - 1))
    wanted[np.arange(count), targets] = certain

    def loss(log_temperature: float) -> float:
        return float(-(wanted * _log_softmax(scaled / np.exp(log_temperature))).sum() / count)

    found: Any = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def calibration_error(probabilities: NDArray[Any], targets: NDArray[np.int64], bins: int = BINS) -> float:
    """Expected calibration error: |accuracy - confidence| in equal bins of the confidence, weighted by their images.

    probabilities: (N, C). Source: M. Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
    AAAI 2015.
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == targets
    at = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(at, is_right - confidence.astype(np.float64), bins)
    return float(np.abs(gaps).sum() / len(targets))


def cross_entropy(logits: Scores, targets: NDArray[np.int64]) -> float:
    """Mean over the images; natural logarithm."""
    return float(-_log_softmax(np.asarray(logits, np.float64))[np.arange(len(targets)), targets].mean())


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
