"""A licence-clean image set: five kinds of picture that EOL holds, drawn by the code in this folder, one kind per file.

Every image is drawn from (seed, class, number) alone, so the same seed gives the same bytes, and a smaller set is a
prefix of a larger one.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from train.samples import herbarium_sheet, illustration, map, photo, phylogeny
from train.samples.brush import Rng, chance

Drawing = Callable[[Rng, int, int], Image.Image]

DRAWINGS: Final[dict[str, Drawing]] = {
    "herbarium_sheet": herbarium_sheet.draw,
    "illustration": illustration.draw,
    "map": map.draw,
    "photo": photo.draw,
    "phylogeny": phylogeny.draw,
}
"""Label -> drawing of that width and height, RGB."""

MAX_SIDE_PX: Final = 1200
PORTRAIT: Final = {"herbarium_sheet": 0.92, "illustration": 0.6, "map": 0.25, "phylogeny": 0.55, "photo": 0.3}
PNG: Final = {"herbarium_sheet": 0.04, "illustration": 0.12, "map": 0.3, "phylogeny": 0.35, "photo": 0.04}
GREY: Final = {"herbarium_sheet": 0.05, "illustration": 0.15, "map": 0.12, "phylogeny": 0.08, "photo": 0.1}


def file_name(label: str, index: int, seed: int, max_side_px: int = MAX_SIDE_PX) -> str:
    """Name of image `index` (1, 2, ...) of a class."""
    return f"{label}_{index:04d}.{'png' if _plan(label, index, seed, max_side_px).is_png else 'jpg'}"


def draw_file(label: str, index: int, seed: int, max_side_px: int = MAX_SIDE_PX) -> bytes:
    """Content of image `index` (1, 2, ...) of a class: a JPEG or PNG file."""
    plan = _plan(label, index, seed, max_side_px)
    image = DRAWINGS[label](plan.rng, plan.width, plan.height)
    if plan.is_grey:
        image = image.convert("L")
    buffer = BytesIO()
    if plan.is_png:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=plan.quality)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Plan:
    """Choices that are made before the drawing starts."""

    width: int
    height: int
    is_png: bool
    is_grey: bool
    quality: int
    rng: Rng


def _plan(label: str, index: int, seed: int, max_side_px: int) -> _Plan:
    rng = np.random.default_rng([seed, zlib.crc32(label.encode()), index])
    width, height = _size(rng, max_side_px, is_portrait=chance(rng, PORTRAIT[label]))
    return _Plan(width, height, chance(rng, PNG[label]), chance(rng, GREY[label]), int(rng.integers(55, 96)), rng)


def _size(rng: Rng, max_side_px: int, *, is_portrait: bool) -> tuple[int, int]:
    """Width and height: small pictures are as frequent as large ones."""
    long = round(max_side_px * float(np.exp(rng.uniform(np.log(0.25), 0))))
    short = max(round(0.2 * max_side_px), round(long * rng.uniform(0.62, 0.95)))
    return (short, long) if is_portrait else (long, short)
