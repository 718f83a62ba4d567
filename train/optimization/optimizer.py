"""Optimisers by name, and the learning-rate schedule."""

import math
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


def learning_rate(settings: FitSettings, highest: float, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The learning rate of step 0, 1, ... of a phase of at most so many epochs; the cuts of `plateau` come on top.

    Rises over the warm-up in equal steps, then stays, or falls to 0 along half a cosine.
    """
    warmup = min(settings.warmup_epochs, epochs) * steps_per_epoch
    if step < warmup:
        return highest * (step + 1) / (warmup + 1)
    if settings.schedule != "cosine":
        return highest
    left = max(1, epochs * steps_per_epoch - warmup)
    return highest * (1 + math.cos(math.pi * (step - warmup) / left)) / 2
