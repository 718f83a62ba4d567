"""Do the probabilities say how often the model is right? And which temperature would make them say so?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from eoltag.records import Scores

BINS: Final = 15
"""Equal in width. Source: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017."""
FOLDS: Final = 5
LEAST_IMAGES: Final = 50
"""Fewer cannot be divided to judge a temperature on other images than those it was fitted to."""
LEAST: Final = 0.05
MOST: Final = 20.0

Truth = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Images whose confidence lies in (low, high]."""

    low: float
    high: float
    images: int
    confidence: float
    """Mean; 0 where there are no images."""
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well probabilities fit what happened."""

    temperature: float
    nll: float
    """Mean negative log-likelihood of the true label (cross-entropy), in nats."""
    ece: float
    """Expected calibration error: mean distance of confidence and accuracy over the bins, weighted by images.

    Source: M. Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
    """
    bins: tuple[Bin, ...]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "bins": [asdict(one) for one in self.bins]}


def calibration(logits: Scores, truth: Truth, temperature: float) -> Calibration:
    """Calibration of softmax(logits / temperature); logits (N, C), N at least 1."""
    return _calibration(logits.astype(np.float64) / temperature, truth, temperature)


def calibrate(logits: Scores, truth: Truth) -> tuple[Calibration, Calibration]:
    """Without a temperature, and with the one that is fitted to these very images. N at least 1."""
    return calibration(logits, truth, 1.0), calibration(logits, truth, fit_temperature(logits, truth))


def cross_calibrate(logits: Scores, truth: Truth, temperature: float) -> tuple[Calibration, Calibration | None]:
    """With the card's temperature, and with the one that fits these images best; None where there are too few.

    The second is cross-fitted: each fold is scored with the temperature that the other folds ask for, so that it does
    not flatter itself. Its `temperature` is that of all images together.
    """
    before = calibration(logits, truth, temperature)
    if len(truth) < LEAST_IMAGES:
        return before, None
    fold = np.random.default_rng(0).permutation(len(truth)) % FOLDS
    scaled = np.empty(logits.shape, np.float64)
    for number in range(FOLDS):
        held = fold == number
        scaled[held] = logits[held] / fit_temperature(logits[~held], truth[~held])
    return before, _calibration(scaled, truth, fit_temperature(logits, truth))


def fit_temperature(logits: Scores, truth: Truth) -> float:
    """The temperature with the least cross-entropy, LEAST to MOST.

    Source: temperature scaling, Guo et al. (2017). The true label of each of N images is given the probability
    (N + 1) / (N + 2), after J. Platt (1999): where all are right, the best temperature would else be 0.
    """
    raw = logits.astype(np.float64)
    count, classes = raw.shape
    certain = (count + 1) / (count + 2)
    wanted = np.full(raw.shape, (1 - certain) / (classes - 1))
    wanted[np.arange(count), truth] = certain

    def loss(log_temperature: float) -> float:
        return float(-(wanted * _log_softmax(raw / np.exp(log_temperature))).sum() / count)

    found: Any = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def _calibration(scaled: NDArray[np.float64], truth: Truth, temperature: float) -> Calibration:
    """scaled: logits that are divided by their temperatures already."""
    logs = _log_softmax(scaled)
    bins = bins_of(np.exp(logs.max(axis=1)), logs.argmax(axis=1) == truth)
    return Calibration(temperature, float(-logs[np.arange(len(truth)), truth].mean()), error_of(bins), bins)


def error_of(bins: Sequence[Bin]) -> float:
    """The expected calibration error; see Calibration.ece."""
    images = sum(one.images for one in bins)
    return sum(one.images * abs(one.confidence - one.accuracy) for one in bins) / images


def bins_of(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """How often it is right at each confidence. Both (N,)."""
    edges = np.linspace(0, 1, BINS + 1)
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for at in range(BINS):
        inside = place == at
        count = int(inside.sum())
        sure, hit = (float(values[inside].mean()) if count else 0.0 for values in (confidence, right))
        bins.append(Bin(float(edges[at]), float(edges[at + 1]), count, sure, hit))
    return tuple(bins)


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
