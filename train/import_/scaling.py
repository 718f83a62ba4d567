"""What foreign models want done to 0..255 RGB first: in Keras, in OpenVINO and, to check these two, in numpy."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from eoltag.records import Pixels, Scores

Scaling = Literal["unit", "signed", "torch", "caffe", "none"]


@dataclass(frozen=True, slots=True)
class Rule:
    """(pixel - mean) / deviation per channel, in RGB, or in BGR where is_bgr."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    is_bgr: bool = False


RULES: Final[dict[Scaling, Rule]] = {
    "unit": Rule(deviation=(255.0, 255.0, 255.0)),
    "signed": Rule((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "torch": Rule((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe": Rule((103.939, 116.779, 123.68), is_bgr=True),
    "none": Rule(),
}
"""Means and deviations of `keras.applications.imagenet_utils.preprocess_input`, modes tf, torch and caffe."""


def scale_array(pixels: Pixels, scaling: Scaling) -> Scores:
    """(N, H, W, 3) float32."""
    rule = RULES[scaling]
    ordered = pixels[..., ::-1] if rule.is_bgr else pixels
    mean, deviation = (np.array(values, np.float32) for values in (rule.mean, rule.deviation))
    scaled: Scores = (ordered.astype(np.float32) - mean) / deviation
    return scaled


def scale_in_keras(pixels: Any, scaling: Scaling) -> Any:
    """The same for a uint8 KerasTensor."""
    import keras

    rule = RULES[scaling]
    if rule.is_bgr:
        pixels = keras.ops.flip(pixels, axis=-1)
    factors = [1 / deviation for deviation in rule.deviation]
    offsets = [-mean / deviation for mean, deviation in zip(rule.mean, rule.deviation, strict=True)]
    return keras.layers.Rescaling(factors, offsets, dtype="float32", name="scaling")(pixels)


def scale_in_openvino(network: Any, scaling: Scaling) -> Any:
    """The same in front of an openvino.Model with one NHWC input; it then takes uint8."""
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    rule = RULES[scaling]
    wanted = network.input(0).element_type
    processor = PrePostProcessor(network)
    processor.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    processor.input().model().set_layout(ov.Layout("NHWC"))
    steps = processor.input().preprocess()
    steps.convert_element_type(ov.Type.f32)
    if rule.is_bgr:
        steps.reverse_channels()
    steps.mean(list(rule.mean)).scale(list(rule.deviation)).convert_element_type(wanted)
    return processor.build()
