"""A small pretrained base, so that trainings of a head take a moment."""

from pathlib import Path
from typing import Final

import keras
import numpy as np

SIDE_PX: Final = 32
HEAD_CONFIG: Final = (
    'architecture = "mobilenet"\nalpha = 0.25\nimage_size_px = 32\nepochs = 6\nbatch_size = 8\nlearning_rate = 0.01\n'
)
"""Settings that train a head on it and leave it as it is."""


def save_base_weights(path: Path, seed: int = 5) -> Path:
    """MobileNet of the smallest width for 32 px, as keras.applications saves one. path: ends in .weights.h5."""
    keras.utils.set_random_seed(seed)
    base = keras.applications.MobileNet(include_top=False, weights=None, alpha=0.25, input_shape=(SIDE_PX, SIDE_PX, 3))
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    base(np.random.default_rng(0).uniform(-1, 1, (8, SIDE_PX, SIDE_PX, 3)), training=True)  # else its features are 0
    base.save_weights(path)
    return path
