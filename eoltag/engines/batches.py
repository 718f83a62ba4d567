"""Batches of one fixed size, which every runtime compiles best."""

import numpy as np

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
