"""OpenVINO's f32 files to an int8 version, calibrated on training images. Whether it may be used is measured later."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import SettingsError
from eoltag.model.card import INT8_FILES, OPENVINO_FILES, Precision
from eoltag.model.package import Card, write_card
from eoltag.places import install_command
from eoltag.records import Pixels, Scores
from train.cli import log
from train.export.proving import scores_at

CALIBRATION_IMAGES: Final = 300
"""NNCF's own default for the statistics of activations; with 1,000 the scores were no nearer to f32."""
LEAST_CALIBRATION_IMAGES: Final = 32
"""With a handful of images the ranges of activations are guesses."""
CONTROL_IMAGES: Final = 300
"""Other training images, on which recipes are compared and the margin is measured."""
LEAST_CONTROL_IMAGES: Final = 8
MARGIN_QUANTILE: Final = 0.99
"""Share of the control images whose scores are nearer to f32 than the margin. The rest changes a label only where it
is a close call as well, so that far fewer than 1 % of the labels are left to change."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to quantise."""

    name: str
    """For the card and the line that says which was best."""
    is_fast: bool
    """Biases corrected by NNCF's fast way, which leaves out those of depthwise convolutions, or one layer after the
    other."""


RECIPES: Final = (Recipe("fast bias correction", is_fast=True), Recipe("slow bias correction", is_fast=False))
"""Cheapest first, equal in speed when used. Which is nearer to f32 depends on the network: for a fine-tuned MobileNet
alpha 0.75 the slow one (root of the mean squared difference 0.10 in a logit against 0.21); for MobileNetV2 alpha 0.35
with a linear head the fast one agreed more often (97.9 % of the labels against 95.5 %)."""


def quantize(source: Path, target: Path, pixels: Pixels, recipe: Recipe) -> None:
    """Write `target` (.xml, its .bin beside it): `source` with its convolutions and dense layers in int8.

    pixels: uint8 (N, H, W, 3), training images. Weights are symmetric and activations asymmetric (NNCF's preset
    `mixed`), which keeps networks with swish or hard-swish accurate and costs ReLU networks nothing. Weights take all
    8 bits, without NNCF's margin against sums that overflow 16 bits: only processors with VNNI or AMX may use int8.
    """
    import openvino as ov

    nncf = _nncf()
    network = ov.Core().read_model(source)
    quantized = nncf.quantize(
        network,
        nncf.Dataset([image[None] for image in pixels]),
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        subset_size=len(pixels),
        fast_bias_correction=recipe.is_fast,
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.DISABLE),
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(quantized, target, compress_to_fp16=False)


def divide(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """Images to calibrate with, and others to choose and measure with; at least LEAST_..._IMAGES of each.

    pixels: as many as both of these least numbers or more.
    """
    count = max(LEAST_CALIBRATION_IMAGES, min(CALIBRATION_IMAGES, len(pixels) // 2))
    return pixels[:count], pixels[count : count + CONTROL_IMAGES]


def margin(reference: Scores, other: Scores, output_kind: str = "classes") -> float:
    """In logits (N, C): MARGIN_QUANTILE of the images err by no more, in any score or, of classes, in the lead of the
    best one.

    The lead is that of the label which `other` puts first: by as much as it is overstated, another label may be best.
    Labels that are yes or no by themselves have no lead over each other.
    """
    difference = np.nan_to_num(other.astype(np.float64)) - reference
    errors: NDArray[np.float64] = np.abs(difference).max(axis=1)
    if output_kind == "classes":
        best = np.take_along_axis(difference, other.argmax(axis=1)[:, np.newaxis], axis=1)
        errors = np.maximum(errors, (best - difference).max(axis=1))
    return float(np.quantile(errors, MARGIN_QUANTILE))


@dataclass(frozen=True, slots=True)
class Int8:
    """What was made, and from how many training images."""

    recipe: Recipe
    margin: float
    """Logits; for the card's `int8_margin`."""
    calibration_images: int
    control_images: int

    def document(self) -> dict[str, Any]:
        """For the card's metrics."""
        return {
            "recipe": self.recipe.name,
            "margin": self.margin,
            "calibration_images": self.calibration_images,
            "control_images": self.control_images,
        }


def make_int8(folder: Path, card: Card, pixels: Pixels, recipes: Sequence[Recipe] = RECIPES) -> Int8:
    """Write INT8_FILES into the package's folder, by the recipe that comes nearest to f32 on control images.

    pixels: training images (N, H, W, 3): some to calibrate with, others to control. Neither serves as proof.
    Raises DataError where this machine does not compute int8 natively.
    """
    calibration, control = divide(pixels)
    plain = card.model_copy(update={"precision": Precision(), "int8_margin": 0.0})
    exact = scores_at(write_card(folder, plain), "openvino", "f32", control)
    best, kept = None, {}
    for recipe in recipes:
        log(f"int8: {recipe.name}, calibrating on {len(calibration)} training images")
        quantize(folder / OPENVINO_FILES[0], folder / INT8_FILES[0], calibration, recipe)
        rough = scores_at(write_card(folder, plain), "openvino", "int8", control)
        made = Int8(recipe, margin(exact, rough, card.output_kind), len(calibration), len(control))
        log(f"int8: {recipe.name} is within {made.margin:.2g} of f32 in the logits of {len(control)} others")
        if best is None or made.margin < best.margin:
            best, kept = made, {name: (folder / name).read_bytes() for name in INT8_FILES}
    assert best is not None  # there are recipes
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    return best


def _nncf() -> Any:
    """The library, without its reports to its makers and without its greetings."""
    os.environ.setdefault("NNCF_CI", "1")
    try:
        import nncf
    except ImportError as problem:
        raise SettingsError(f"int8 needs NNCF: {install_command('train')} ({problem})") from problem
    logging.getLogger("nncf").setLevel(logging.ERROR)  # set_log_level also sets handlers that are not its own
    return nncf
