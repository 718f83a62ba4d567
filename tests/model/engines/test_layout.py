"""Pictures are scaled before they are transposed: the same scores, and fewer copies."""

from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from eoltag.model.engines.layout import transpose_late

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), np.uint8)
CHANNELS_FIRST = np.array([0, 3, 1, 2])


def values(*shape: int) -> np.ndarray:
    """Constants that are unlike each other."""
    return np.linspace(0.5, 1.7, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def network(*steps: Any, is_direct: bool = False, is_shared: bool = False) -> ov.Model:
    """uint8 pictures, transposed, through `steps`, then a convolution; with a second output where they are shared."""
    picture = ops.parameter([2, 9, 7, 3], np.uint8, name="pictures")
    data = ops.convert(ops.relu(ops.convert(picture, "f32")) if is_direct else picture, "f32")
    data = ops.transpose(data, CHANNELS_FIRST)
    outputs = [ops.reduce_max(data, np.array([1, 2, 3]))] if is_shared else []
    for step in steps:
        data = step(data)
    pads = np.array([1, 1])
    found = ops.convolution(data, values(4, 3, 3, 3), np.array([1, 1]), pads, pads, np.array([1, 1]))
    return ov.Model([found, *outputs], [picture])


def scores(model: ov.Model) -> list[np.ndarray]:
    """As the CPU computes them."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})
    return [np.array(found) for found in compiled([PICTURES]).values()]


def order(model: ov.Model) -> list[str]:
    """The kinds of nodes that matter."""
    kinds = ("Transpose", "Multiply", "Add", "Subtract", "Divide", "Convolution", "FakeQuantize", "Clamp")
    return [node.get_type_name() for node in model.get_ordered_ops() if node.get_type_name() in kinds]


def by_channel(data: Any) -> Any:
    """Normalisation with a number for each channel."""
    return ops.subtract(data, values(1, 3, 1, 1))


def by_one(data: Any) -> Any:
    """Scaling with one number."""
    return ops.multiply(data, np.float32(1 / 127.5))


def quantized(data: Any) -> Any:
    """What int8 files have in front of a convolution."""
    low, high = np.full((1, 1, 1, 1), -2, np.float32), np.full((1, 1, 1, 1), 2, np.float32)
    return ops.fake_quantize(data, low, high, low, high, 256)


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ((by_one,), ["Multiply", "Transpose", "Convolution"]),
        ((by_one, by_channel), ["Multiply", "Subtract", "Transpose", "Convolution"]),
        ((by_one, quantized), ["Multiply", "FakeQuantize", "Transpose", "Convolution"]),
        ((), ["Transpose", "Convolution"]),
        ((lambda data: ops.clamp(data, 0, 6), by_one), ["Transpose", "Clamp", "Multiply", "Convolution"]),
        ((lambda data: ops.add(data, data),), ["Transpose", "Add", "Convolution"]),
        ((lambda data: ops.subtract(np.float32(255), data),), ["Transpose", "Subtract", "Convolution"]),
    ],
)
def test_scores_stay_and_the_transpose_moves_behind_the_scaling(steps: tuple[Any, ...], wanted: list[str]) -> None:
    model = network(*steps)
    before = scores(model)
    transpose_late(model)
    assert order(model) == wanted
    after = scores(model)
    assert np.ptp(before[0]) > 1
    np.testing.assert_allclose(after[0], before[0], rtol=2e-6)


def test_what_others_read_as_well_stays_where_it_is() -> None:
    model = network(by_one, is_shared=True)
    before = scores(model)
    transpose_late(model)
    assert order(model) == ["Transpose", "Multiply", "Convolution"]
    assert all(np.array_equal(one, other) for one, other in zip(before, scores(model), strict=True))


def test_only_the_transpose_of_the_picture_moves() -> None:
    model = network(by_one, is_direct=True)
    transpose_late(model)
    assert order(model) == ["Transpose", "Multiply", "Convolution"]
