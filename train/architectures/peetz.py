"""Peetz Net of CustomImageClassifierTools: two stacks of convolutions side by side, joined for the dense layers."""

from typing import Any

import keras
from keras import layers

from train.settings import FitSettings

BLOCK_FILTERS = (64, 128, 256)
STACKS = {"a": (5, 4, 3), "b": (3, 4, 3)}
"""Kernel of each block, as published; its README says that those of the second stack grow, its code does not."""
DENSE_UNITS = 1024


def peetz_net(settings: FitSettings, classes: int) -> keras.Model:
    """uint8 (N, S, S, 3) -> logits (N, classes). 414,797,954 parameters at the published 224 pixels and two classes.

    Source: AdamPeetz/CustomImageClassifierTools (dropout 0.2, Adam, batches of 20), which ends it in a softmax; here
    the scores stay raw.
    """
    pixels = keras.Input((settings.side_px, settings.side_px, 3), dtype="uint8", name="pixels")
    scaled = layers.Rescaling(1 / 255, name="to_unit_range")(pixels)
    stacks = [_stack(scaled, name, kernels, settings.dropout) for name, kernels in STACKS.items()]
    x = layers.Concatenate(name="joined")(stacks)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(settings.dropout, name="dropout")(x)
    for number in (1, 2):
        x = layers.Dense(DENSE_UNITS, activation="relu", name=f"dense_{number}")(x)
        x = layers.Dropout(settings.dropout, name=f"dropout_{number}")(x)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name="peetz_net")


def _stack(x: Any, stack: str, kernels: tuple[int, ...], dropout: float) -> Any:
    for block, (filters, kernel) in enumerate(zip(BLOCK_FILTERS, kernels, strict=True), 1):
        for number in (1, 2):
            name = f"{stack}_block_{block}_conv_{number}"
            x = layers.Conv2D(filters, kernel, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(name=f"{stack}_block_{block}_pool")(x)
        x = layers.Dropout(dropout, name=f"{stack}_block_{block}_dropout")(x)
    return x
