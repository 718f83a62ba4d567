"""Head of a network: pooled features to logits."""

from typing import Any

import keras
from keras import layers

from train.settings import FitSettings


def pooled(maps: Any, settings: FitSettings) -> Any:
    """Feature maps (N, H, W, D) as one row each."""
    kinds = {"average": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    return kinds[settings.pooling](name="pooled")(maps)


def head(settings: FitSettings, width: int, classes: int) -> keras.Model:
    """The head as a keras.Model: float32 (N, width) -> logits (N, classes)."""
    features = keras.Input((width,), name="features")
    x = layers.BatchNormalization(name="features_bn")(features) if settings.head_batch_norm == "input" else features
    for number, units in enumerate(settings.head_units, 1):
        x = _dense(x, settings, units, f"dense_{number}")
        x = layers.Dropout(settings.dropout, name=f"dropout_{number}")(x)
    if not settings.head_units:
        x = layers.Dropout(settings.dropout, name="dropout")(x)
    return keras.Model(features, layers.Dense(classes, kernel_regularizer=_l2(settings), name="logits")(x), name="head")


def _dense(x: Any, settings: FitSettings, units: int, name: str) -> Any:
    is_normed = settings.head_batch_norm in ("before_activation", "after_activation")
    x = layers.Dense(units, use_bias=not is_normed, kernel_regularizer=_l2(settings), name=name)(x)
    steps: list[Any] = [layers.Activation(settings.head_activation, name=f"{name}_{settings.head_activation}")]
    if is_normed:
        norm = layers.BatchNormalization(name=f"{name}_bn")
        steps.insert(0 if settings.head_batch_norm == "before_activation" else 1, norm)
    for step in steps:
        x = step(x)
    return x


def _l2(settings: FitSettings) -> Any:
    return keras.regularizers.L2(settings.l2) if settings.l2 else None
