"""The output kind `classes`: each image shows one of many, and the probabilities of all labels sum to 1."""

from typing import Final

import numpy as np

from eoltag.model.outputs.kind import OutputKind
from eoltag.records import Scores


def softmax(logits: Scores, temperature: float) -> Scores:
    """Probabilities softmax(logits / temperature), (N, C) float32; every row sums to 1, whatever the logits' size."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


CLASSES: Final = OutputKind(softmax, "one of many labels; the probabilities of all labels sum to 1")
