"""EOL's network for training from nothing: three convolutions and a dense layer."""

import keras
from keras import layers

from train.settings import FitSettings


def scratch(settings: FitSettings, classes: int) -> keras.Model:
    """uint8 (N, S, S, 3) -> logits (N, classes).

    Source: EOL's notebooks (aubricot/computer_vision_with_eol_images, classification_for_image_tagging), which end it
    in a softmax; here the scores stay raw, as in EOL's other classifiers.
    """
    side, filters = settings.side_px, settings.first_filters
    pixels = keras.Input((side, side, 3), dtype="uint8", name="pixels")
    x = layers.Rescaling(1 / 255, name="to_unit_range")(pixels)
    for number, kernel in enumerate((5, 3, 3)):
        x = layers.Conv2D(filters * 2**number, kernel, padding="same", activation="relu", name=f"conv_{number + 1}")(x)
        x = layers.MaxPooling2D(name=f"pool_{number + 1}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    x = layers.Dropout(settings.dropout, name="dropout")(x)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name="scratch")
