"""The VGG-like network of CustomImageClassifierTools: three blocks of two convolutions, two wide dense layers."""

import keras
from keras import layers

from train.settings import FitSettings

BLOCK_FILTERS = (64, 128, 256)
KERNEL = 4
DENSE_UNITS = 1024


def vgg(settings: FitSettings, classes: int) -> keras.Model:
    """uint8 (N, S, S, 3) -> logits (N, classes). 208,609,154 parameters at the published 224 pixels and two classes.

    Source: AdamPeetz/CustomImageClassifierTools (dropout 0.1, Adam, batches of 20), which ends it in a softmax; here
    the scores stay raw.
    """
    pixels = keras.Input((settings.side_px, settings.side_px, 3), dtype="uint8", name="pixels")
    x = layers.Rescaling(1 / 255, name="to_unit_range")(pixels)
    for block, filters in enumerate(BLOCK_FILTERS, 1):
        for number in (1, 2):
            name = f"block_{block}_conv_{number}"
            x = layers.Conv2D(filters, KERNEL, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(name=f"block_{block}_pool")(x)
        x = layers.Dropout(settings.dropout, name=f"block_{block}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(DENSE_UNITS, activation="relu", name=f"dense_{number}")(x)
        x = layers.Dropout(settings.dropout, name=f"dropout_{number}")(x)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name="vgg")
