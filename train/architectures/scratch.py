"""EOL's network for training from nothing: three convolutions and a dense layer."""

import keras
from keras import layers

from train.settings import FitSettings


def scratch(settings: FitSettings, classes: int) -> keras.Model:
    """uint8 (N, S, S, 3) -> logits (N, classes). 2,770,310 parameters at the published 150 pixels and six classes.

    Source: EOL's notebooks (aubricot/computer_vision_with_eol_images, classification_for_image_tagging), which end it
    in a softmax; here the scores stay raw, as in EOL's other classifiers.
    """
    side, second = settings.side_px, settings.second_filters or settings.first_filters
    convolutions = ((settings.first_filters, settings.first_kernel_px), (second, 3), (2 * second, 3))
    pixels = keras.Input((side, side, 3), dtype="uint8", name="pixels")
    x = layers.Rescaling(1 / 255, name="to_unit_range")(pixels)
    for number, (filters, kernel) in enumerate(convolutions, 1):
        x = layers.Conv2D(filters, kernel, padding="same", activation="relu", name=f"conv_{number}")(x)
        x = layers.MaxPooling2D(name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    x = layers.Dropout(settings.dropout, name="dropout")(x)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name="scratch")
