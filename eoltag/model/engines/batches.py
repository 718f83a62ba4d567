"""What every runtime needs: batches of one fixed size, and a network that fits its card."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import PackageError
from eoltag.model.card import Card, Part
from eoltag.records import Scores

Rows = NDArray[Any]
"""Pictures (N, H, W, 3) uint8, or feature vectors (N, D) float32."""


class Network(Protocol):
    """One loaded network of a package: rows in, rows of numbers out."""

    def predict(self, rows: Rows) -> Scores:
        """What it gives for each row, float32. rows: at most the batch size that it was loaded for."""
        ...

    def begin(self, rows: Rows) -> Callable[[], Scores]:
        """`predict` in two steps: what this returns gives the numbers. `rows` may be written to at once."""
        ...


def pad_batch(batch: Rows, size: int) -> Rows:
    """The batch grown to `size` with zeros (black pictures); as it is where it is full.

    Raises ValueError for more than `size` rows.
    """
    if len(batch) > size:
        raise ValueError(f"a batch of at most {size} was wanted. Received: {len(batch)}")
    if len(batch) == size:
        return np.require(batch, requirements=["C", "W"])  # runtimes refuse memory that they may not write
    padded = np.zeros((size, *batch.shape[1:]), batch.dtype)
    padded[: len(batch)] = batch
    return padded


def row_shape(card: Card, part: Part) -> tuple[int, ...]:
    """The shape of one row that this part of a model takes."""
    return (card.feature_length,) if part == "head" else (card.input.height, card.input.width, 3)


def check_shapes(card: Card, part: Part, taken: Sequence[int | None], given: int) -> None:
    """Raises PackageError where a network does not fit its card: features or labels would be shifted.

    taken: the shape of one row that it takes. given: how many numbers it gives for each.
    """
    if part == "base" and given != card.feature_length:
        raise PackageError(f"{card.name}: wanted {card.feature_length} features of each image. Received: {given}")
    if part != "base" and given != len(card.labels):
        raise PackageError(f"{card.name}: wanted one score for each of {len(card.labels)} labels. Received: {given}")
    if part == "head" and list(taken) != [card.feature_length]:
        raise PackageError(f"{card.name}: wanted a head that takes {card.feature_length} features. Received: {taken}")
