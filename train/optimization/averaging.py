"""Averaged weights: the moving average that an optimiser keeps of what it learns ("EMA"), in place of its last step."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def averaged_weights(network: Any) -> Iterator[None]:
    """The network with its averaged weights, where its optimiser keeps them; training goes on from those before.

    network: compiled keras.Model, which has learned a step at least.
    """
    optimizer = network.optimizer
    if not optimizer.use_ema:
        yield
        return
    learned = network.get_weights()
    optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        network.set_weights(learned)
