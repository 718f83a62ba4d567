"""How much each training image counts in the loss."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import SettingsError
from train.images.answers import Answers


def class_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """images / (classes x images of the class), scikit-learn's `balanced`; classes without images are left out."""
    present = {label: count for label, count in sorted(counts.items()) if count}
    total = sum(present.values())
    return {label: total / (len(present) * count) for label, count in present.items()}


def loss_weights(choice: str, answers: Answers, labels: Sequence[str], train: NDArray[np.int64]) -> NDArray[np.float32]:
    """The weight of every example with one label in the loss, (N,). Raises SettingsError.

    choice: off, balanced, or a JSON file as `prepare` writes it. answers: one-hot, (N, C). train: rows to count.
    """
    if choice == "off":
        return np.ones(len(answers), np.float32)
    counts = dict(zip(labels, answers[train].sum(axis=0).astype(int).tolist(), strict=True))
    found = class_weights(counts) if choice == "balanced" else _of_labels(Path(choice), labels)
    if set(found) != set(labels):
        raise _other_labels(choice, found, labels)
    by_target = np.array([found[label] for label in labels], np.float32)
    weights: NDArray[np.float32] = by_target[answers.argmax(axis=1)]
    return weights


def answer_weights(
    choice: str, answers: Answers, labels: Sequence[str], train: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The weight of every answer (N, C) in the loss, 0 where it is not known. Raises SettingsError.

    balanced: of each label, those that show it count as much together as those that do not. A file: label to the
    weight of those that show it. train: rows to count.
    """
    weights = (~np.isnan(answers)).astype(np.float32)
    if choice == "off":
        return weights
    if choice != "balanced":
        found = _of_labels(Path(choice), labels)
        return np.where(answers == 1, np.array([found[label] for label in labels], np.float32), weights)
    known = weights[train].sum(axis=0)
    for answer in (0, 1):
        is_so = answers == answer
        share = known / (2 * np.maximum(is_so[train].sum(axis=0), 1))
        weights = np.where(is_so, share.astype(np.float32), weights)
    return weights


def _of_labels(path: Path, labels: Sequence[str]) -> dict[str, float]:
    """The weights in a file, of just these labels. Raises SettingsError."""
    found = _read(path)
    if set(found) != set(labels):
        raise _other_labels(str(path), found, labels)
    return found


def _other_labels(choice: str, found: Mapping[str, float], labels: Sequence[str]) -> SettingsError:
    return SettingsError(
        f"class_weights: {choice}: wanted a weight for each of {', '.join(labels)}. "
        f"Received: {', '.join(map(str, found)) or 'none'}"
    )


def _read(path: Path) -> dict[str, float]:
    """Raises SettingsError."""
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
    weights: dict[str, float] = content
    return weights
