"""What an output kind is: how the numbers that a network gives become probabilities and a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class OutputSql:
    """The four columns of a verdict as SQL over a stored array of raw numbers.

    `{raw}` stands for that array, `{labels}` for an array of the labels in its order, `{temperature}` for the card's.
    """

    label: str
    confidence: str
    logit: str
    scores: str

    def filled(self, raw: str, labels: str, temperature: str) -> dict[str, str]:
        """Column -> expression. Each argument is SQL itself."""
        names = {"raw": raw, "labels": labels, "temperature": temperature}
        return {name: text.format(**names) for name, text in asdict(self).items()}


def best_label(logits: Scores) -> NDArray[np.int64]:
    """The number of the label with the highest logit, (N, 1)."""
    best: NDArray[np.int64] = logits.argmax(axis=1)[:, np.newaxis]
    return best


def lead_of_best(logits: Scores) -> Scores:
    """By how much the best of the logits (N, C) is above the next, (N,)."""
    ordered = np.sort(logits, axis=1)
    ahead: Scores = ordered[:, -1] - ordered[:, -2]
    return ahead


def against_others(logits: Scores, column: int, temperature: float) -> NDArray[np.float64]:
    """temperature * ln(p / (1 - p)) of one label, (N,), where p is its part of the softmax."""
    others = np.delete(logits, column, axis=1).astype(np.float64) / temperature
    highest = others.max(axis=1)
    rest = highest + np.log(np.exp(others - highest[:, np.newaxis]).sum(axis=1))
    against: NDArray[np.float64] = logits[:, column] - temperature * rest
    return against


@dataclass(frozen=True, slots=True)
class OutputKind:
    """How the logits of a network are read."""

    probabilities: Callable[[Scores, float], Scores]
    """Logits (N, C) and the card's temperature to probabilities (N, C), float32."""
    meaning: str
    """What an image of such a model may get, for messages and pages."""
    spark: OutputSql
    """The same in Spark SQL, for deciding."""
    duckdb: OutputSql
    """The same for DuckDB, for people who query the tables."""
    answers: Callable[[Scores], NDArray[np.int64]] = best_label
    """Logits (N, C) to what they answer, (N, K): arithmetic that changes none of these tags alike."""
    leads: Callable[[Scores], Scores] = lead_of_best
    """How far the logits (N, C) of each image are from another answer, (N,)."""
    odds: Callable[[Scores, int, float], NDArray[np.float64]] = against_others
    """temperature * ln(p / (1 - p)) of the label in a column, (N,), from logits (N, C) and the temperature."""

    def verdicts(self, logits: Scores, labels: Sequence[str], temperature: float) -> list[Verdict]:
        """One verdict for each row of `logits` (N, C). Raises ValueError where C is not the number of labels."""
        if logits.ndim != 2 or logits.shape[1] != len(labels):
            raise ValueError(f"logits of shape (N, {len(labels)}) were wanted. Received: {logits.shape}")
        if not len(logits):
            return []
        probabilities = self.probabilities(logits, temperature).tolist()
        best = logits.argmax(axis=1).tolist()
        return [
            Verdict(labels[top], row[top], float(raw[top]), dict(zip(labels, row, strict=True)))
            for top, row, raw in zip(best, probabilities, logits, strict=True)
        ]
