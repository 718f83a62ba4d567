"""Networks by name. Each takes uint8 RGB (N, H, W, 3) and gives logits (N, C); scaling is part of its graph."""

from typing import Any

from train.settings import FitSettings


def build(settings: FitSettings, classes: int) -> Any:
    """A fresh keras.Model. The import waits until it is wanted: Keras takes seconds."""
    from train.architectures.scratch import scratch

    builders = {"scratch": scratch}
    return builders[settings.architecture](settings, classes)
