"""Optimisers by name, and the learning-rate schedule."""

import math
from typing import Any

import keras

from train.settings import FitSettings


def make_optimizer(settings: FitSettings) -> Any:
    """A fresh keras optimiser; the learning rate is set before every step."""
    rate, epsilon = settings.learning_rate, settings.optimizer_epsilon
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=settings.momentum, weight_decay=settings.weight_decay or None)
    if settings.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rate, momentum=settings.momentum, epsilon=epsilon)
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, epsilon=epsilon)
    return keras.optimizers.Adam(rate, epsilon=epsilon)


def make_loss(settings: FitSettings) -> Any:
    """Of one-hot targets and logits, both (N, C): a loss for each image."""
    smoothing = settings.label_smoothing
    if settings.loss == "categorical_crossentropy":
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)

    def binary_crossentropy(targets: Any, logits: Any) -> Any:
        """Mean over the classes."""
        return keras.losses.binary_crossentropy(targets, keras.ops.softmax(logits), label_smoothing=smoothing)

    return binary_crossentropy


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
