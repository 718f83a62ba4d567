"""Which label is taken for which other one, the most frequent first: what a person reads off a confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MixUp:
    """Images of one label that were given another."""

    truth: str
    label: str
    images: int
    share: float
    """Of all images whose true label it is."""


def mixups(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> list[MixUp]:
    """Every pair that happened. confusion: images by true label (row) and given label (column)."""
    found = [
        MixUp(truth, label, count, count / sum(row))
        for truth, row in zip(labels, confusion, strict=True)
        for label, count in zip(labels, row, strict=True)
        if count and label != truth
    ]
    return sorted(found, key=lambda one: (-one.images, -one.share, one.truth, one.label))
