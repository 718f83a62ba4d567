"""What all drawings share: seeded choices, colours, smooth noise, outlines, paper grain, the font, species' names."""

from collections.abc import Sequence
from functools import lru_cache
from math import cos, sin
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont

Rng = np.random.Generator
Color = tuple[int, int, int]
Points = NDArray[np.float64]  # corners (N, 2): x to the right, y down
Spot = Points | tuple[float, float]
T = TypeVar("T")

INK: Final[Color] = (28, 26, 26)
WHITE: Final[Color] = (255, 255, 255)
HUES: Final[tuple[Color, ...]] = (
    (220, 50, 40), (240, 150, 40), (215, 180, 60), (60, 140, 70), (0, 140, 150), (50, 95, 190), (130, 70, 160),
    (205, 60, 120), (140, 95, 60), (90, 90, 90),
)  # fmt: skip
_GENERA: Final = ("Abies", "Acanthis", "Bracon", "Carex", "Corylus", "Draba", "Erica", "Galium", "Linum", "Salix")
_EPITHETS: Final = ("alba", "alpina", "minor", "rubra", "sylvatica", "vulgaris", "palustris", "lutea", "nigra")
SPECIES: Final = [f"{genus} {epithet}" for genus in _GENERA for epithet in _EPITHETS]  # made-up, most of them

font: Final = lru_cache(maxsize=64)(lambda size: ImageFont.load_default(max(4, round(size))))
"""Pillow's own font in a size, so that no machine's fonts change a pixel."""


def pick(rng: Rng, options: Sequence[T]) -> T:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def vary(rng: Rng, color: Color, spread: float = 10) -> Color:
    """A neighbour of the colour, with that standard deviation in each channel."""
    red, green, blue = np.clip(rng.normal(color, spread), 0, 255).astype(int).tolist()
    return red, green, blue


def mix(one: Color, other: Color, share: float) -> Color:
    """One colour with `share` of the other in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def clouds(rng: Rng, width: int, height: int, cells: float, octaves: int = 4) -> NDArray[np.float32]:
    """Smooth noise (height, width), mean 0, standard deviation 1, of about `cells` blots along its longer side."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        across = cells * 2**octave / max(width, height)
        grid = rng.standard_normal((round(height * across) + 2, round(width * across) + 2), np.float32)
        total += np.float32(0.5**octave) * np.asarray(Image.fromarray(grid).resize((width, height)))
    total -= total.mean()
    total /= total.std()
    return total


def mask(field: NDArray[Any]) -> Image.Image:
    """A field of 0 to 1, or of booleans, as what Pillow pastes through."""
    return Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))


def scan(rng: Rng, canvas: Image.Image, grain: float, stains: float) -> Image.Image:
    """The canvas at half its size, so that edges are smooth, with paper grain and soft stains all over."""
    sheet = np.asarray(canvas.reduce(2), np.float32)
    shade = clouds(rng, canvas.width // 2, canvas.height // 2, 4, 2) * np.float32(stains)
    shade += rng.standard_normal(shade.shape, np.float32) * np.float32(grain)
    return Image.fromarray(np.clip(sheet + shade[..., None], 0, 255).astype(np.uint8))


def place(points: Points, at: Spot, angle: float = 0, scale: float = 1) -> Points:
    """The points scaled, turned by `angle` radians and moved to a spot."""
    cosine, sine = scale * cos(angle), scale * sin(angle)
    return np.asarray(np.dot(points, np.array([[cosine, sine], [-sine, cosine]])) + at, np.float64)


def smooth(*corners: tuple[float, float]) -> Points:
    """A closed outline with its corners cut (Chaikin)."""
    points = np.array(corners, np.float64)
    for _ in range(3):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], axis=1).reshape(-1, 2)
    return points


def ribbon(line: Points | Sequence[tuple[float, float]], start: float, end: float) -> Points:
    """The outline of a stem, leg or blade of grass along a line, of width `start` thinning to `end`."""
    points = np.asarray(line, np.float64)
    step = np.gradient(points, axis=0)
    normal = np.column_stack([-step[:, 1], step[:, 0]]) / np.linalg.norm(step, axis=1, keepdims=True)
    half = np.linspace(start / 2, end / 2, len(points))[:, None] * normal
    return np.vstack([points + half, (points - half)[::-1]])


def wander(rng: Rng, start: Spot, angle: float, length: float, bend: float) -> Points:
    """A line of 40 points from `start` on; `bend` is the standard deviation of its turns in radians."""
    turns = angle + np.cumsum(rng.normal(0, bend / 6, 40))
    steps = np.column_stack([np.cos(turns), np.sin(turns)]) * length / 40
    return np.asarray(start) + np.cumsum(steps, axis=0)
