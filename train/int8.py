"""The int8 version of a package's network: the best of several recipes, and how far it may be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eoltag.model.package import INT8_FILES, OPENVINO_FILES, Card, Precision, write_card
from eoltag.records import Pixels
from train.cli import say
from train.export.proving import scores_at
from train.export.quantizing import RECIPES, Recipe, divide, margin, quantize


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
        say(f"int8: {recipe.name}, calibrating on {len(calibration)} training images")
        quantize(folder / OPENVINO_FILES[0], folder / INT8_FILES[0], calibration, recipe)
        rough = scores_at(write_card(folder, plain), "openvino", "int8", control)
        made = Int8(recipe, margin(exact, rough), len(calibration), len(control))
        say(f"int8: {recipe.name} is within {made.margin:.2g} of f32 in the logits of {len(control)} others")
        if best is None or made.margin < best.margin:
            best, kept = made, {name: (folder / name).read_bytes() for name in INT8_FILES}
    assert best is not None  # there are recipes
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    return best
