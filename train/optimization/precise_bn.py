"""Recalibration of batch normalisation ("PreciseBN"): moving averages are replaced by those over training images.

While it learns, a network normalises by each batch; what it is used with later are moving averages, which take some
hundred steps to arrive and then trail behind the weights. After a few steps from nothing they fit nothing: all pictures
get nearly the same scores, and rounding alone changes them. So they are replaced by what a pass over training images
gives. Source: Y. Wu and J. Johnson (2021), Rethinking "Batch" in BatchNorm, arXiv:2105.07576, section 3 ("PreciseBN").
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from train.optimization.seeding import all_layers


def recalibrate_batch_norm(network: Any, batches: Iterable[Any]) -> None:
    """Set the mean and variance of every trainable batch normalisation to those over the batches; nothing else changes.

    network: keras.Model. batches: of its inputs, all of about one size. The variance is that of all values together:
    the mean of the batches' variances and the variance of their means.
    """
    norms = batch_norms_of(network)
    sums = [np.zeros((2, norm.moving_mean.shape[0])) for norm in norms]
    seen = 0
    with _only_averages_move(network, norms):
        for batch in batches:
            network(batch, training=True)
            seen += len(batch)
            for norm, found in zip(norms, sums, strict=True):
                mean, variance = (_plain(value) for value in (norm.moving_mean, norm.moving_variance))
                found += len(batch) * np.stack([mean, variance + mean**2])
    for norm, (mean, square) in zip(norms, sums, strict=True):
        norm.moving_mean.assign(mean / seen)
        norm.moving_variance.assign(np.maximum(square / seen - (mean / seen) ** 2, 0.0))


def batch_norms_of(network: Any) -> list[Any]:
    """The trainable batch normalisations of a network."""
    return [layer for layer in all_layers(network) if isinstance(layer, layers.BatchNormalization) and layer.trainable]


@contextmanager
def _only_averages_move(network: Any, norms: list[Any]) -> Iterator[None]:
    """A call with training=True then leaves in each normalisation what its batch alone gives, and drops nothing."""
    drops = [layer for layer in all_layers(network) if isinstance(layer, layers.Dropout)]
    kept = [(layer, "momentum", layer.momentum) for layer in norms] + [(layer, "rate", layer.rate) for layer in drops]
    try:
        for layer, name, _ in kept:
            setattr(layer, name, 0.0)
        yield
    finally:
        for layer, name, value in kept:
            setattr(layer, name, value)


def _plain(variable: Any) -> NDArray[np.float64]:
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
