"""Which int8 scores are too close to a border to be trusted: those images are scored again in f32."""

import math

import numpy as np
from numpy.typing import NDArray

from eoltag.model.package import Card
from eoltag.records import Scores


def close_calls(scores: Scores, card: Card) -> NDArray[np.bool_]:
    """(N,): the best of the logits (N, C) leads by less than the card's `int8_margin`, or one is that near a threshold.

    A threshold may be a logit or a probability, so both are looked at; a probability in logits, as
    temperature * ln(p / (1 - p)). Scores that are not numbers are always close.
    """
    found = ~(_leads(scores) >= card.int8_margin)
    for label, threshold in card.thresholds.items():
        column = card.labels.index(label)
        found |= np.abs(scores[:, column] - threshold) < card.int8_margin
        if 0 < threshold < 1:
            border = card.temperature * math.log(threshold / (1 - threshold))
            found |= np.abs(_against_others(scores, column, card.temperature) - border) < card.int8_margin
    return found


def _leads(scores: Scores) -> Scores:
    """By how much the best of the logits (N, C) is above the next, (N,)."""
    ordered = np.sort(scores, axis=1)
    ahead: Scores = ordered[:, -1] - ordered[:, -2]
    return ahead


def _against_others(scores: Scores, column: int, temperature: float) -> NDArray[np.float64]:
    """temperature * ln(p / (1 - p)) of one label, (N,)."""
    others = np.delete(scores, column, axis=1).astype(np.float64) / temperature
    highest = others.max(axis=1)
    rest = highest + np.log(np.exp(others - highest[:, np.newaxis]).sum(axis=1))
    against: NDArray[np.float64] = scores[:, column] - temperature * rest
    return against
