"""Real model packages with any labels, made in a moment: scores are sums of the mean colours of the picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from eoltag.model.package import Card, CardInput, Package, write_card

SIZE = CardInput(height=16, width=16)


def write_tiny_package(folder: Path, labels: Sequence[str], seed: int, size: CardInput = SIZE) -> Package:
    """A package for OpenVINO; another seed, other scores. size: the pictures that it takes."""
    picture = ops.parameter([-1, size.height, size.width, 3], np.uint8)
    shade = ops.convert(picture, "f32") / ops.constant(np.float32(64))
    colours = ops.reduce_mean(shade, ops.constant(np.array([1, 2])), keep_dims=False)
    weights = np.random.default_rng(seed).normal(size=(3, len(labels))).astype(np.float32)
    network = ov.Model([ops.matmul(colours, ops.constant(weights), False, False)], [picture], "tiny")
    (folder / "openvino").mkdir(parents=True)
    ov.save_model(network, folder / "openvino/model.xml", compress_to_fp16=False)
    return write_card(folder, Card(card_version=1, name=folder.name, labels=tuple(labels), input=size, files={}))
