"""Which int8 scores are too close to a border to be trusted: those images are scored again in f32."""

import math

import numpy as np
from numpy.typing import NDArray

from eoltag.model.outputs import OUTPUTS
from eoltag.model.package import Card
from eoltag.records import Scores


def close_calls(scores: Scores, card: Card) -> NDArray[np.bool_]:
    """(N,): the answer of the logits (N, C) is nearer to another one than the card's `int8_margin`, or to a threshold.

    A threshold may be a logit or a probability, so both are looked at; a probability in logits, as
    temperature * ln(p / (1 - p)). Scores that are not numbers are always close.
    """
    kind = OUTPUTS[card.output_kind]
    found = ~(kind.leads(scores) >= card.int8_margin)
    for label, threshold in card.thresholds.items():
        column = card.labels.index(label)
        found |= np.abs(scores[:, column] - threshold) < card.int8_margin
        if 0 < threshold < 1:
            border = card.temperature * math.log(threshold / (1 - threshold))
            found |= np.abs(kind.odds(scores, column, card.temperature) - border) < card.int8_margin
    return found
