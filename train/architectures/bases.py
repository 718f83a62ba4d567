"""Pretrained bases by name: what builds them, the scaling of their input, their blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Scaling = Literal["signed", "lite", "caffe", "none", "efficientnet"]


@dataclass(frozen=True, slots=True)
class Base:
    """One network of keras.applications, or an EfficientNet-Lite."""

    builder: str
    """Name of its class in keras.applications, or in efficientnet_lite.SIZES."""
    scaling: Scaling
    """signed: [-1, 1]. lite: (value - 127) / 128. caffe: BGR less the mean. none: the base scales by itself.
    efficientnet: see transfer.py."""
    blocks: tuple[str, ...]
    """From the picture to the features, for messages and the documentation; every layer's name will do as well."""
    after: Mapping[str, str] = field(default_factory=dict)
    """Block -> the layer that it begins behind, where its layers have no common name."""


def _numbered(prefix: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(first, last + 1))


_EFFICIENT: Final = tuple(f"block{number}a" for number in range(1, 8))

BASES: Final[Mapping[str, Base]] = {
    "mobilenet": Base("MobileNet", "signed", _numbered("conv_dw_", 1, 13)),
    "mobilenet_v2": Base("MobileNetV2", "signed", (*_numbered("block_", 1, 16), "Conv_1")),
    "inception_v3": Base(
        "InceptionV3",
        "signed",
        _numbered("mixed", 0, 10),
        {"mixed0": "max_pooling2d_1", **{f"mixed{number}": f"mixed{number - 1}" for number in range(1, 11)}},
    ),
    "xception": Base("Xception", "signed", _numbered("block", 1, 14)),
    "resnet50": Base(
        "ResNet50",
        "caffe",
        tuple(
            f"conv{stage}_block{n}" for stage, count in ((2, 3), (3, 4), (4, 6), (5, 3)) for n in range(1, count + 1)
        ),
    ),
    "inception_resnet_v2": Base(
        "InceptionResNetV2",
        "signed",
        (*_numbered("block8_", 1, 10), "conv_7b"),
        {"block8_1": "mixed_7a", **{f"block8_{n}": f"block8_{n - 1}_ac" for n in range(2, 11)}},
    ),
    "efficientnet_b0": Base("EfficientNetB0", "efficientnet", (*_EFFICIENT, "top_conv")),
    "efficientnet_b3": Base("EfficientNetB3", "efficientnet", (*_EFFICIENT, "top_conv")),
    "efficientnet_b5": Base("EfficientNetB5", "efficientnet", (*_EFFICIENT, "top_conv")),
    # The default of our time: more accurate than EfficientNet B0 on ImageNet at the same arithmetic, plain layers only
    # (ConvNeXt needs classes of its own to be loaded), and quick on CPUs, where eoltag mostly runs.
    "efficientnetv2_b0": Base("EfficientNetV2B0", "none", (*_EFFICIENT[:6], "top_conv")),
    "efficientnet_lite0": Base("EfficientNetLite0", "lite", (*_EFFICIENT, "top_conv")),
    "efficientnet_lite2": Base("EfficientNetLite2", "lite", (*_EFFICIENT, "top_conv")),
}


def first_layer(base: Any, spec: Base, block: str) -> int | None:
    """Position in base.layers of the first layer of a block or of that name; None where there is none.

    A layer belongs to the block that its name begins with: block_1 is no part of block_13. base: keras.Model.
    """
    names = [layer.name for layer in base.layers]
    if block in spec.after:
        return names.index(spec.after[block]) + 1 if spec.after[block] in names else None
    for at, name in enumerate(names):
        rest = name.removeprefix(block)
        if name.startswith(block) and not rest[:1].isdigit():
            return at
    return None
