"""Weights for classes of unlike size."""

from collections.abc import Mapping


def class_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """images / (classes x images of the class), scikit-learn's `balanced`; classes without images are left out."""
    present = {label: count for label, count in sorted(counts.items()) if count}
    total = sum(present.values())
    return {label: total / (len(present) * count) for label, count in present.items()}
