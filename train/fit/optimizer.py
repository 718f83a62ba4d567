"""Optimisers by name."""

from typing import Any

import keras

from train.settings import FitSettings


def make_optimizer(settings: FitSettings) -> Any:
    """A fresh keras optimiser; the learning rate is set before every step."""
    rate = settings.learning_rate
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=settings.momentum, weight_decay=settings.weight_decay or None)
    if settings.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rate, momentum=settings.momentum)
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    return keras.optimizers.Adam(rate)
