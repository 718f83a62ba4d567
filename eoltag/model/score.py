"""Logits to what a user reads: label, probability, raw logit. `classify` and the Spark job both score here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eoltag.records import Scores


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model says of one image. Plain Python values, ready for a table row."""

    label: str
    """The one with the highest logit; the first of them in a tie."""
    confidence: float
    """Its probability."""
    logit: float
    """Its raw score, which EOL's published thresholds use; no temperature applied."""
    scores: dict[str, float]
    """Label -> probability, in the model's order."""


def score(logits: Scores, temperature: float) -> Scores:
    """Probabilities softmax(logits / temperature), (N, C) float32; every row sums to 1, whatever the logits' size."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def verdicts(logits: Scores, labels: Sequence[str], temperature: float) -> list[Verdict]:
    """One verdict per row of `logits` (N, C). Raises ValueError where C is not the number of labels."""
    if logits.ndim != 2 or logits.shape[1] != len(labels):
        raise ValueError(f"logits of shape (N, {len(labels)}) were wanted. Received: {logits.shape}")
    if not len(logits):
        return []
    probabilities = score(logits, temperature).tolist()
    best = logits.argmax(axis=1).tolist()
    return [
        Verdict(labels[top], row[top], float(raw[top]), dict(zip(labels, row, strict=True)))
        for top, row, raw in zip(best, probabilities, logits, strict=True)
    ]
