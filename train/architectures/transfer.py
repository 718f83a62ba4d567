"""A pretrained base with a new head, cut where the second phase begins to train."""

import math
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import layers

from eoltag.errors import SettingsError
from train.architectures.bases import BASES, Base, first_layer
from train.architectures.efficientnet_lite import SIZES, efficientnet_lite
from train.architectures.head import head, pooled
from train.architectures.network import Network
from train.architectures.weights import first_sentence, load_weights
from train.settings import FitSettings

CAFFE_MEANS_BGR: Final = (103.939, 116.779, 123.68)
"""Source: keras.applications.imagenet_utils, mode `caffe`."""
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
"""RGB, of values in [0, 1]. Source: keras.applications.efficientnet."""


def transfer(settings: FitSettings, classes: int) -> Network:
    """The network, nothing of its base trainable before `fine_tune_from`. Raises SettingsError."""
    spec = BASES[settings.architecture]
    base = _base(settings, spec)
    start = _start(settings, spec, base)
    for at, layer in enumerate(base.layers):
        layer.trainable = start is not None and at >= start
    cut = None if start is None else _cut(base, start)
    pixels = keras.Input((settings.side_px, settings.side_px, 3), dtype="uint8", name="pixels")
    scaled = _scaled(pixels, settings, spec)
    # Called so, batch normalisation keeps the averages that it was pretrained with, also while it is fine-tuned.
    mode = {"training": False} if settings.is_frozen_first else {}
    features = keras.Model(pixels, pooled(base(scaled, **mode), settings), name="features")
    top = head(settings, features.output_shape[-1], classes)
    model = keras.Model(pixels, top(features(pixels)), name=settings.architecture)
    if cut is None:
        return Network(model, base, features, top)
    below = keras.Model(base.input, base.layers[cut].output, name="trunk")
    above = keras.Model(base.layers[cut].output, base.output, name="tail")
    maps = keras.Input(below.output_shape[1:], name="maps")
    trunk = keras.Model(pixels, below(scaled, **mode), name="trunk_features")
    tail = keras.Model(maps, pooled(above(maps, **mode), settings), name="tail_features")
    return Network(model, base, features, top, trunk, tail)


def make_base(spec: Base, **options: Any) -> Any:
    """keras.Model of a base. options: `weights`, `include_top`, `input_shape`, as keras.applications takes them."""
    if spec.builder in SIZES:
        return efficientnet_lite(spec.builder, **options)
    return getattr(keras.applications, spec.builder)(**options)


def _base(settings: FitSettings, spec: Base) -> Any:
    options: dict[str, Any] = {"include_top": False, "input_shape": (settings.side_px, settings.side_px, 3)}
    if settings.architecture.startswith("mobilenet"):
        options["alpha"] = settings.alpha
    wanted = f"{settings.architecture} of alpha {settings.alpha:g}" if "alpha" in options else settings.architecture
    try:
        base = make_base(spec, weights="imagenet" if settings.weights == "imagenet" else None, **options)
    except Exception as problem:  # sizes that a base refuses; a download that fails in any of many ways
        raise SettingsError(
            f"{wanted} at {settings.side_px} pixels with weights '{settings.weights}' cannot be made: "
            f"{first_sentence(problem)}"
        ) from problem
    if settings.weights not in ("imagenet", "none"):
        load_weights(base, Path(settings.weights), wanted)
    return base


def _start(settings: FitSettings, spec: Base, base: Any) -> int | None:
    """Position of the first layer that the second phase trains."""
    if not settings.is_frozen_first:
        return 0
    if not settings.fine_tune_from:
        return None
    if settings.fine_tune_from == "all":
        return 0
    start = first_layer(base, spec, settings.fine_tune_from)
    if start is None:
        raise SettingsError(
            f"fine_tune_from: {settings.architecture} has no block or layer '{settings.fine_tune_from}'; "
            f"its blocks: {', '.join(spec.blocks)}, all"
        )
    return start


def _cut(base: Any, start: int) -> int | None:
    """Position of the one layer whose output is all that the layers from `start` on take; None where they take more."""
    made_by = {id(layer.output): at for at, layer in enumerate(base.layers)}
    taken = set()
    for layer in base.layers[start:]:
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        taken |= {made_by[id(tensor)] for tensor in given}
    below = {at for at in taken if at < start}
    return below.pop() if len(below) == 1 and start > 1 else None


def _scaled(pixels: Any, settings: FitSettings, spec: Base) -> Any:
    """The pixels as the base wants them; plain layers only, so that every engine can run them."""
    if spec.scaling == "signed":
        return layers.Rescaling(1 / 127.5, offset=-1, name="to_signed_range")(pixels)
    if spec.scaling == "lite":
        return layers.Rescaling(1 / 128, offset=-127 / 128, name="to_lite_range")(pixels)
    if spec.scaling == "caffe":
        return _to_caffe(layers.Rescaling(1.0, name="to_float")(pixels))
    if spec.scaling == "efficientnet" and settings.weights not in ("imagenet", "none"):
        # keras.applications adds a layer for ImageNet weights, only where it downloads them itself: between its
        # normalisation and the first convolution, divide by the root of the standard deviation. This is the same
        # before the normalisation, for weights that come from a file.
        scale = [1 / math.sqrt(std) for std in IMAGENET_STD]
        offset = [255 * mean * (1 - factor) for mean, factor in zip(IMAGENET_MEAN, scale, strict=True)]
        return layers.Rescaling(scale, offset=offset, name="to_imagenet_range")(pixels)
    return layers.Rescaling(1.0, name="to_float")(pixels)


def _to_caffe(x: Any) -> Any:
    """RGB to BGR less the mean, as a fixed 1x1 convolution."""
    layer = layers.Conv2D(3, 1, trainable=False, name="to_caffe")
    scaled = layer(x)
    layer.set_weights([np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3), -np.array(CAFFE_MEANS_BGR, np.float32)])
    return scaled
