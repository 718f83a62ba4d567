"""Seeding: every source of randomness in a training is fixed by numbers."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np


def make_repeatable(seed: int) -> None:
    """Fix every source of randomness, and have TensorFlow add up in a fixed order."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        tf.get_logger().setLevel("ERROR")  # it warns of networks that are compiled for the first time


def reseed(network: Any, seed: tuple[int, ...]) -> None:
    """Set the state of every random layer, so that an epoch does not depend on how many others were run here."""
    for number, layer in enumerate(all_layers(network)):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            drawn = np.random.default_rng((*seed, number)).integers(0, 2**31, 2)
            generator.state.assign(drawn.astype(np.uint32))


def all_layers(network: Any) -> Iterator[Any]:
    """All layers of a keras.Model and of the models in it."""
    for layer in network.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
