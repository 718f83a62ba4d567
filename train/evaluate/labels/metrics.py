"""How good a model of several labels is: each label by itself, over the images of which its answer is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.evaluate.metrics import Curve, curve_of, mean_area, wilson_interval
from train.images.answers import Answers

Reals = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class LabelMeasures:
    """One label: images by answer and by what the model says at a border."""

    label: str
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    unknown: int
    """Images of which nobody said whether they show it."""
    curve: Curve

    @property
    def known(self) -> int:
        """Images whose answer is known."""
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives

    @property
    def precision(self) -> float:
        """Share of the images that were given the label that show it; 0 where none was given it."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the images that show the label that were given it; 0 where none shows it."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where both are."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def document(self) -> dict[str, Any]:
        """Plain JSON values; areas are None where all known answers are alike."""
        given = self.true_positives + self.false_positives
        shown = self.true_positives + self.false_negatives
        return {
            "average_precision": self.curve.pr_area,
            "roc_auc": self.curve.roc_area,
            "precision": self.precision,
            "precision_interval": list(wilson_interval(self.true_positives, given)) if given else None,
            "recall": self.recall,
            "recall_interval": list(wilson_interval(self.true_positives, shown)) if shown else None,
            "f1": self.f1,
            "support": shown,
            "known": self.known,
            "unknown": self.unknown,
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.false_negatives,
            "true_negatives": self.true_negatives,
        }


def measure_labels(probabilities: Reals, answers: Answers, labels: Sequence[str]) -> list[LabelMeasures]:
    """Measures of every label at a probability of 0.5. Both (N, C)."""
    return [_measured(probabilities[:, at], answers[:, at], label) for at, label in enumerate(labels)]


def label_accuracy(scores: Reals, answers: Answers, border: float = 0.0) -> float:
    """Share of the known answers that the scores (N, C) give right: yes from `border` on; 0 where none is known."""
    known = ~np.isnan(answers)
    return _share(int(((scores >= border) == (answers == 1))[known].sum()), int(known.sum()))


def label_loss(logits: Reals, answers: Answers) -> float:
    """Mean cross-entropy of the known answers, in nats; 0 where none is known."""
    known = ~np.isnan(answers)
    raw, wanted = logits.astype(np.float64)[known], answers[known]
    return float((np.logaddexp(0, raw) - wanted * raw).mean()) if len(raw) else 0.0


def mean_average_precision(measures: Sequence[LabelMeasures]) -> float | None:
    """Over the labels that have one."""
    return mean_area([one.curve.pr_area for one in measures])


def _measured(probability: Reals, answers: NDArray[np.float32], label: str) -> LabelMeasures:
    known = ~np.isnan(answers)
    shown, given = answers[known] == 1, probability[known] >= 0.5
    return LabelMeasures(
        label,
        int((given & shown).sum()),
        int((given & ~shown).sum()),
        int((~given & shown).sum()),
        int((~given & ~shown).sum()),
        int((~known).sum()),
        curve_of(shown, probability[known], label),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
