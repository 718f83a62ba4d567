"""How much each training image counts in the loss."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import SettingsError
from train.data.dataset import Dataset, Indices


def class_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """images / (classes x images of the class), scikit-learn's `balanced`; classes without images are left out."""
    present = {label: count for label, count in sorted(counts.items()) if count}
    total = sum(present.values())
    return {label: total / (len(present) * count) for label, count in present.items()}


def loss_weights(choice: str, dataset: Dataset, train: Indices, judged: float = 1.0) -> NDArray[np.float32]:
    """The weight of every example in the loss, (N,). Raises SettingsError.

    choice: off, balanced, or a JSON file as `prepare` writes it. judged: what an image that a person has judged counts
    more, a factor.
    """
    is_judged = [example.image.is_judged for example in dataset.examples]
    if judged != 1 and not any(is_judged):
        raise SettingsError(
            f"judged_weight: no image of {dataset.folder} is marked as judged; wanted what `prepare judgements` "
            "writes: the folder with its manifest, or its table of labels"
        )
    by_person = np.where(is_judged, judged, 1.0).astype(np.float32)
    if choice == "off":
        return by_person
    found = class_weights(dataset.counts(train)) if choice == "balanced" else _read(Path(choice))
    if set(found) != set(dataset.labels):
        raise SettingsError(
            f"class_weights: {choice}: wanted a weight for each of {', '.join(dataset.labels)}. "
            f"Received: {', '.join(map(str, found)) or 'none'}"
        )
    by_target = np.array([found[label] for label in dataset.labels], np.float32)
    return by_target[dataset.targets] * by_person


def _read(path: Path) -> dict[str, float]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(
            f"class_weights: wanted off, balanced or a file. Received: {path} ({problem.strerror})"
        ) from problem
    except ValueError as problem:
        raise SettingsError(f"class_weights: {path}: not valid JSON ({problem})") from problem
    if not isinstance(content, dict) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) and value > 0 for value in content.values()
    ):
        raise SettingsError(f"class_weights: {path}: wanted an object of label to a number above 0")
    return content
