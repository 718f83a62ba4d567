"""Changed copies of training images, made while training and never part of the exported model."""

import keras
from keras import layers

from train.settings import FitSettings


def augmented(model: keras.Model, settings: FitSettings, seed: int) -> keras.Model:
    """The model behind random layers; the model itself where the settings ask for none."""
    if settings.augmentation == "off":
        return model
    return keras.Sequential([keras.Input(model.input_shape[1:], dtype="uint8"), *_simple(seed), model], name="training")


def _simple(seed: int) -> list[keras.Layer]:
    """EOL's: rotation up to 40 degrees, mirroring, and shift, shear and zoom up to 0.2; edges are repeated."""
    return [
        layers.RandomFlip("horizontal", seed=seed),
        layers.RandomRotation(40 / 360, fill_mode="nearest", seed=seed + 1),
        layers.RandomTranslation(0.2, 0.2, fill_mode="nearest", seed=seed + 2),
        layers.RandomShear(0.2, 0.2, fill_mode="nearest", seed=seed + 3),
        layers.RandomZoom(0.2, fill_mode="nearest", seed=seed + 4),
    ]
