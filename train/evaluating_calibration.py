"""Do the probabilities say how often the model is right? And would another temperature make them say so?"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.records import Scores
from eoltag.score import score

BINS: Final = 15
"""Equal in width. Source: Guo et al. (2017), On calibration of modern neural networks, ICML."""
FOLDS: Final = 5
LEAST_IMAGES: Final = 50
"""Fewer tell nothing about a temperature."""
COLDEST, HOTTEST = 0.02, 50.0

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
    """Mean negative log-likelihood of the true label, in nats."""
    ece: float
    """Expected calibration error: mean distance of confidence and accuracy over the bins, weighted by images."""
    bins: tuple[Bin, ...]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = [
            {"low": b.low, "high": b.high, "images": b.images, "confidence": b.confidence, "accuracy": b.accuracy}
            for b in self.bins
        ]
        return {"temperature": self.temperature, "nll": self.nll, "ece": self.ece, "bins": rows}


def calibration(probabilities: Scores, truth: Truth, temperature: float) -> Calibration:
    """Of probabilities (N, C) that were made with that temperature; N is 1 or more."""
    right = probabilities.argmax(axis=1) == truth
    confidence = probabilities.max(axis=1).astype(np.float64)
    of_truth = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    nll = float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean())
    bins = _bins(confidence, right)
    error = sum(b.images * abs(b.confidence - b.accuracy) for b in bins) / len(truth)
    return Calibration(temperature, nll, float(error), bins)


def calibrations(logits: Scores, truth: Truth, temperature: float) -> tuple[Calibration, Calibration | None]:
    """With the card's temperature, and with the one that fits these images best; None where there are too few.

    The second is cross-fitted: each fold is judged with the temperature that the other folds ask for, so that it does
    not flatter itself. Its `temperature` is that of all images together.
    """
    before = calibration(score(logits, temperature), truth, temperature)
    if len(truth) < LEAST_IMAGES:
        return before, None
    fold = np.random.default_rng(0).permutation(len(truth)) % FOLDS
    probabilities = np.empty_like(logits)
    for number in range(FOLDS):
        held = fold == number
        probabilities[held] = score(logits[held], fit_temperature(logits[~held], truth[~held]))
    return before, calibration(probabilities, truth, fit_temperature(logits, truth))


def fit_temperature(logits: Scores, truth: Truth) -> float:
    """The temperature with the least negative log-likelihood on these images, between COLDEST and HOTTEST.

    Source: temperature scaling, Guo et al. (2017).
    """
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(truth))
    raw = logits.astype(np.float64)

    def loss(log_temperature: float) -> float:
        scaled = raw / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, truth]).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    edges = np.linspace(0, 1, BINS + 1)
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for at in range(BINS):
        inside = place == at
        count = int(inside.sum())
        sure, hit = (float(values[inside].mean()) if count else 0.0 for values in (confidence, right))
        bins.append(Bin(float(edges[at]), float(edges[at + 1]), count, sure, hit))
    return tuple(bins)
