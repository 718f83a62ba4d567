"""Optimisers by name, and the learning-rate schedule."""

import math
from typing import Any

import keras

from train.settings import FitSettings


def make_optimizer(settings: FitSettings) -> Any:
    """A fresh keras optimiser; the learning rate is set before every step."""
    momentum, decay, epsilon = settings.momentum, settings.weight_decay, settings.optimizer_epsilon
    shared: dict[str, Any] = {"learning_rate": settings.learning_rate}
    if settings.ema_momentum:
        shared |= {"use_ema": True, "ema_momentum": settings.ema_momentum}
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=momentum, weight_decay=decay or None, **shared)
    if settings.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(momentum=momentum, epsilon=epsilon, **shared)
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(weight_decay=decay, epsilon=epsilon, **shared)
    return keras.optimizers.Adam(epsilon=epsilon, **shared)


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
