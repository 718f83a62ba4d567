"""Real model packages with any labels, made in a moment: scores are sums of the mean colours of the picture.

Also such whose base and head lie apart, and such of a head alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from eoltag.model.card import BASE_OPENVINO_FILES, HEAD_OPENVINO_FILES, OPENVINO_FILES, Card, CardInput
from eoltag.model.package import Package, write_card
from eoltag.model.versions import version_of

SIZE = CardInput(height=16, width=16)
FEATURES: Final = 5
"""Length of a feature vector of the bases here."""


def write_tiny_package(folder: Path, labels: Sequence[str], seed: int, size: CardInput = SIZE) -> Package:
    """A package for OpenVINO; another seed, other scores. size: the pictures that it takes."""
    picture, colours = _mean_colours(size)
    _save(folder, OPENVINO_FILES, picture, _scored(colours, 3, len(labels), seed))
    return write_card(folder, Card(card_version=1, name=folder.name, labels=tuple(labels), input=size, files={}))


def write_tiny_based_package(
    folder: Path, labels: Sequence[str], seed: int, base_seed: int = 0, size: CardInput = SIZE
) -> Package:
    """The same with base and head apart as well; another base_seed or size, another base."""
    for names in (OPENVINO_FILES, BASE_OPENVINO_FILES):
        picture, colours = _mean_colours(size)
        features = ops.relu(_scored(colours, 3, FEATURES, base_seed))
        is_base = names is BASE_OPENVINO_FILES
        _save(folder, names, picture, features if is_base else _scored(features, FEATURES, len(labels), seed))
    base: dict[str, Any] = {"base_version": version_of(f"tiny {base_seed} {size}"), "feature_length": FEATURES}
    card = Card(card_version=1, name=folder.name, labels=tuple(labels), input=size, files={}, **base)
    return _with_head(folder, card, seed)


def write_tiny_head(folder: Path, labels: Sequence[str], seed: int, base: str, length: int = FEATURES) -> Package:
    """A head alone, for feature vectors of that length of an imported base."""
    named: dict[str, Any] = {"base_version": base, "feature_length": length}
    card = Card(card_version=1, name=folder.name, labels=tuple(labels), input=SIZE, files={}, **named)
    return _with_head(folder, card, seed)


def _with_head(folder: Path, card: Card, seed: int) -> Package:
    vector = ops.parameter([-1, card.feature_length], np.float32)
    _save(folder, HEAD_OPENVINO_FILES, vector, _scored(vector, card.feature_length, len(card.labels), seed))
    return write_card(folder, card)


def _mean_colours(size: CardInput) -> tuple[Any, Any]:
    """The input of pictures, and their mean red, green and blue, 0 to 4."""
    picture = ops.parameter([-1, size.height, size.width, 3], np.uint8)
    shade = ops.convert(picture, "f32") / ops.constant(np.float32(64))
    return picture, ops.reduce_mean(shade, ops.constant(np.array([1, 2])), keep_dims=False)


def _scored(rows: Any, width: int, outputs: int, seed: int) -> Any:
    """Rows of that width times random weights."""
    weights = np.random.default_rng(seed).normal(size=(width, outputs)).astype(np.float32)
    return ops.matmul(rows, ops.constant(weights), False, False)


def _save(folder: Path, names: tuple[str, str], given: Any, found: Any) -> None:
    (folder / names[0]).parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(ov.Model([found], [given], "tiny"), folder / names[0], compress_to_fp16=False)
