"""What every runtime needs: batches of one fixed size, and a network that fits its card."""

import numpy as np

from eoltag.errors import PackageError
from eoltag.model.package import Card
from eoltag.records import Pixels


def pad_batch(batch: Pixels, size: int) -> Pixels:
    """The batch grown to `size` with black pictures; as it is where it is full.

    Raises ValueError for more than `size` images.
    """
    if len(batch) > size:
        raise ValueError(f"a batch of at most {size} was wanted. Received: {len(batch)}")
    if len(batch) == size:
        return np.require(batch, requirements=["C", "W"])  # runtimes refuse memory that they may not write
    padded = np.zeros((size, *batch.shape[1:]), np.uint8)
    padded[: len(batch)] = batch
    return padded


def check_outputs(card: Card, scores: int) -> None:
    """Raises PackageError where the network does not give one score per label: the labels would be shifted."""
    if scores != len(card.labels):
        raise PackageError(f"{card.name}: wanted one score for each of {len(card.labels)} labels. Received: {scores}")
