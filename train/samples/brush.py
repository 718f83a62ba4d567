"""Brush: random choices, colours, paper, lines, text and light for every drawing."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from train.samples.shapes import Points

Rng = np.random.Generator
Color = tuple[int, int, int]
Field = NDArray[np.float32]
T = TypeVar("T")


def pick(rng: Rng, options: Sequence[T]) -> T:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def chance(rng: Rng, probability: float) -> bool:
    """True with that probability."""
    return bool(rng.random() < probability)


def vary(rng: Rng, color: Color, spread: float = 10.0) -> Color:
    """A neighbour of the colour."""
    red, green, blue = (int(np.clip(channel + rng.normal(0, spread), 0, 255)) for channel in color)
    return red, green, blue


def mix(one: Color, other: Color, share: float) -> Color:
    """`share` of the other colour in the one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def clouds(rng: Rng, width: int, height: int, cells: float, octaves: int = 4, gain: float = 0.55) -> Field:
    """Smooth random field (height, width), mean 0, standard deviation 1, about `cells` blots along its longer side."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        across = cells * 2**octave / max(width, height)
        grid = rng.standard_normal((max(2, round(height * across) + 1), max(2, round(width * across) + 1)))
        layer = Image.fromarray(grid.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        total += np.float32(gain**octave) * np.asarray(layer)
    total -= total.mean()
    field: Field = total / (total.std() + np.float32(1e-6))
    return field


def paper(rng: Rng, width: int, height: int, color: Color, grain: float = 3.0, stains: float = 4.0) -> Image.Image:
    """A sheet of that colour with fibre grain and faint stains."""
    shade = stains * clouds(rng, width, height, 4, 3)
    shade += (grain * rng.standard_normal((height, width))).astype(np.float32)
    sheet = np.asarray(color, np.float32) + shade[..., None]
    return Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8))


def xy(points: Points) -> list[tuple[float, float]]:
    """The points as Pillow takes them."""
    return [(float(x), float(y)) for x, y in points]


def stroke(draw: ImageDraw.ImageDraw, points: Points, color: Color, width: float, *, closed: bool = False) -> None:
    """A line of round joints through the points."""
    path = xy(np.vstack([points, points[:1]]) if closed else points)
    draw.line(path, fill=color, width=max(1, round(width)), joint="curve")


def taper(draw: ImageDraw.ImageDraw, points: Points, color: Color, start: float, end: float) -> None:
    """A line that thins from width `start` to `end`: a stem, a blade of grass, a pen stroke."""
    step = np.gradient(points, axis=0)
    normal = np.column_stack([-step[:, 1], step[:, 0]]) / (np.linalg.norm(step, axis=1, keepdims=True) + 1e-9)
    half = np.linspace(start / 2, end / 2, len(points))[:, None]
    draw.polygon(xy(np.vstack([points + normal * half, (points - normal * half)[::-1]])), fill=color)


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font inside Pillow, so that no machine's own fonts change a pixel."""
    return ImageFont.load_default(max(6, size))


def text_width(words: str, size: float) -> float:
    """Width of the text in pixels."""
    return float(font(round(size)).getlength(words))


def write(
    canvas: Image.Image,
    x: float,
    y: float,
    words: str,
    size: float,
    color: Color,
    *,
    slant: bool = False,
    turn: float = 0,
) -> None:
    """Text with its left middle at (x, y); `slant` looks italic; `turn` in degrees about it, counter-clockwise."""
    face = font(round(size))
    width, height = round(face.getlength(words)) + 8, round(size * 1.5)
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).text((2, height / 2), words, font=face, fill=255, anchor="lm")
    if slant:
        mask = mask.transform(
            mask.size, Image.Transform.AFFINE, (1, 0.22, -0.11 * height, 0, 1, 0), Image.Resampling.BILINEAR
        )
    left, top = x, y - height / 2
    if turn:
        # Turn about the left middle: put it into the centre of a square, turn that.
        square = Image.new("L", (2 * width, 2 * width), 0)
        square.paste(mask, (width, width - height // 2))
        mask = square.rotate(turn, Image.Resampling.BILINEAR)
        left, top = x - width, y - width
    canvas.paste(color, (round(left), round(top)), mask)


def vignette(width: int, height: int, strength: float) -> Field:
    """Factor (height, width): 1 in the middle, less towards the corners."""
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    field: Field = (1 - strength * np.clip((x**2 + y**2) / 2, 0, 1) ** 1.5).astype(np.float32)
    return field
