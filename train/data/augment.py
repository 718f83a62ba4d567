"""Online augmentation: training images are changed anew in each epoch, which is never part of the exported model.

Its sets are other ones than those of train.prepare.operations, which change images once and for good: `decathlon` is
affine here, and an elastic distortion, erased parts and more there.

Each copy depends on the seed, the epoch and the image alone, not on the order or the batch it comes in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from eoltag.records import Pixels
from train.settings import AugmentationName

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ranges:
    """What may change, each drawn evenly from its range. Beyond the edge, edges are repeated."""

    rotation_degrees: float = 0.0
    """At most, either way."""
    shift: float = 0.0
    """At most, as a share of height and width."""
    shear: float = 0.0
    """At most, as a share: how far the top goes sideways while the bottom stays."""
    zoom: Range = (1.0, 1.0)
    """How much of the picture is seen, across and down apart; above 1 it gets smaller."""
    crop_area: Range = (1.0, 1.0)
    """Share of the area that is seen, anywhere within the picture, of nearly the same shape."""
    is_mirrored: bool = False
    """Left and right, in half of the copies."""
    is_upended: bool = False
    """Top and bottom, in half of the copies."""
    brightness: Range = (1.0, 1.0)
    """Factor of every value."""
    contrast: Range = (1.0, 1.0)
    """Factor of the distance from the mean."""


ONLINE_SETS: Final[dict[AugmentationName, Ranges]] = {
    "simple": Ranges(rotation_degrees=40, shift=0.2, shear=0.2, zoom=(0.8, 1.2), is_mirrored=True),
    "decathlon": Ranges(rotation_degrees=180, shift=0.1, shear=0.1, zoom=(0.9, 1.5), is_mirrored=True, is_upended=True),
    "peetz": Ranges(rotation_degrees=10, brightness=(0.9, 1.1), is_mirrored=True),
    "photo": Ranges(
        rotation_degrees=15, crop_area=(0.7, 1.0), brightness=(0.8, 1.2), contrast=(0.8, 1.2), is_mirrored=True
    ),
}
"""simple: EOL's flowers and flower_fruit tasks. decathlon: decathloncanada/image-classification, whose shear of 0.1 was
taken as degrees, next to none; here it is a share. peetz: AdamPeetz/CustomImageClassifierTools. photo: a mild set for
photographs, from which nothing is cut that says what they show."""

ASPECT: Final = 0.15
"""How far a crop may be from the picture's shape, as a logarithm."""


def augment(pixels: Pixels, name: AugmentationName, seed: Sequence[int], rows: NDArray[np.int64]) -> Pixels:
    """A changed copy of each image, (N, H, W, 3). seed: of all of them, rows: tells the images apart."""
    if name == "off":
        return pixels
    copies = np.empty_like(pixels)
    for at, row in enumerate(rows.tolist()):
        copies[at] = _changed(pixels[at], ONLINE_SETS[name], np.random.default_rng([*seed, row]))
    return copies


def _changed(picture: Pixels, ranges: Ranges, rng: np.random.Generator) -> Pixels:
    height, width = picture.shape[:2]
    moved = cv2.warpAffine(
        np.ascontiguousarray(picture),
        _sampling(ranges, rng, width, height),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    brightness, contrast = rng.uniform(*ranges.brightness), rng.uniform(*ranges.contrast)
    if brightness == contrast == 1.0:
        return np.asarray(moved, np.uint8)
    mean = float(moved.mean())
    table = np.clip(((np.arange(256) - mean) * contrast + mean) * brightness, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(moved, table), np.uint8)


def _sampling(ranges: Ranges, rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """Where each place of the copy is taken from, (2, 3)."""
    angle = np.deg2rad(rng.uniform(-ranges.rotation_degrees, ranges.rotation_degrees))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, rng.uniform(-ranges.shear, ranges.shear)], [0.0, 1.0]])
    area, aspect = rng.uniform(*ranges.crop_area), 0.0
    if ranges.crop_area[0] < 1:
        aspect = rng.uniform(-ASPECT, ASPECT)
    crop = np.sqrt(area) * np.exp([aspect / 2, -aspect / 2])
    scale = np.minimum(crop, 1.0) * rng.uniform(*ranges.zoom, size=2)
    mirror = [-1.0 if is_on and rng.random() < 0.5 else 1.0 for is_on in (ranges.is_mirrored, ranges.is_upended)]
    matrix = turn @ shear @ np.diag(scale * mirror)
    free = (1 - np.minimum(crop, 1.0)) / 2
    shift = rng.uniform(-1, 1, 2) * (free + ranges.shift) * (width, height)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([matrix, centre - matrix @ centre + shift])
