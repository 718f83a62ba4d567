"""A scene lit from one side: solids with shading, texture and shadow, blurred by distance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from train.samples.brush import Color, Field, Rng, clouds, taper, vary, vignette, xy
from train.samples.shapes import Points, place


@dataclass(slots=True)
class Scene:
    """Pixels being painted, (H, W, 3) float32, 0 to 255, and the light that falls on them."""

    rng: Rng
    pixels: Field
    sun: tuple[float, float]
    """Where the light comes from: unit vector, x to the right, y down."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def side(self) -> int:
        """The shorter of the two."""
        return min(self.size)

    def blend(self, share: Field, color: Color | Field) -> None:
        """Cover with `share` (H, W) of a colour."""
        self.pixels += share[..., None] * (np.asarray(color, np.float32) - self.pixels)

    def blur(self, radius: float) -> None:
        """Out of focus: all that was painted so far."""
        image = self.image()
        factor = max(1, int(radius / 3))
        small = image.reduce(factor).filter(ImageFilter.GaussianBlur(radius / factor))
        self.pixels = np.asarray(small.resize(image.size, Image.Resampling.BICUBIC), np.float32).copy()

    def image(self) -> Image.Image:
        """What was painted so far."""
        return Image.fromarray(np.clip(self.pixels, 0, 255).astype(np.uint8))

    def solid(
        self, outline: Points, color: Color, *, relief: float = 1.0, texture: float = 14.0, cells: float = 6
    ) -> None:
        """A rounded body of that outline: bright towards the sun, dark away from it, mottled.

        relief: 0 flat, 1 round. texture: strength of the mottling; cells: blots across it.
        """
        box = self._box(outline)
        if box is None:
            return
        left, top, right, bottom = box
        width, height = right - left, bottom - top
        mask = Image.new("L", (width, height), 0)
        ImageDraw.Draw(mask).polygon(xy(outline - (left, top)), fill=255)
        shape = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255
        thick = float(np.ptp(outline, axis=0).min())
        height_map = np.asarray(mask.filter(ImageFilter.GaussianBlur(max(1.0, thick / 6))), np.float32) / 255
        slope_y, slope_x = np.gradient(height_map * max(2.0, thick / 3))
        facing = (slope_x * self.sun[0] + slope_y * self.sun[1]).astype(np.float32)
        light = 0.92 - relief * 0.62 * np.clip(facing, -1, 1) + relief * 0.12 * (height_map - 0.7)
        spots = texture * clouds(self.rng, width, height, cells, 3, 0.7)
        body = np.asarray(color, np.float32) * light[..., None] + spots[..., None]
        view = self.pixels[top:bottom, left:right]
        view += shape[..., None] * (body - view)

    def shadow(self, outline: Points, strength: float) -> None:
        """The soft shade of a shape on what lies behind it."""
        mask = Image.new("L", self.size, 0)
        offset = (-self.sun[0] * self.side / 40, -self.sun[1] * self.side / 40)
        ImageDraw.Draw(mask).polygon(xy(outline + offset), fill=255)
        soft = mask.reduce(4).filter(ImageFilter.GaussianBlur(max(1, self.side / 160))).resize(self.size)
        self.pixels *= 1 - strength * np.asarray(soft, np.float32)[..., None] / 255

    def blades(self, count: int, color: Color, length: float, width: float, foot: tuple[float, float]) -> None:
        """Grass: curved tapering blades whose feet lie between two heights (shares of the picture)."""
        image = self.image()
        draw = ImageDraw.Draw(image)
        across, high = self.size
        for _ in range(count):
            x, y = self.rng.uniform(-0.1, 1.1) * across, self.rng.uniform(*foot) * high
            reach, lean = length * self.rng.uniform(0.5, 1.2), self.rng.normal(0, 0.5)
            t = np.linspace(0, 1, 9)
            blade = np.column_stack(
                [x + reach * (0.3 * lean * t + 0.7 * lean * t**2), y - reach * (t - 0.25 * abs(lean) * t**2)]
            )
            taper(draw, blade, vary(self.rng, color, 22), width * self.rng.uniform(0.6, 1.4), 0.5)
        self.pixels = np.asarray(image, np.float32).copy()

    def bokeh(self, count: int, colors: tuple[Color, ...]) -> None:
        """Discs of light far behind the focus."""
        image = self.image()
        draw = ImageDraw.Draw(image, "RGBA")
        for _ in range(count):
            x, y = self.rng.uniform(0, 1, 2) * self.size
            radius = self.side * float(self.rng.uniform(0.02, 0.09))
            color = vary(self.rng, colors[int(self.rng.integers(len(colors)))], 15)
            draw.ellipse(
                (x - radius, y - radius, x + radius, y + radius), fill=(*color, int(self.rng.integers(50, 150)))
            )
        self.pixels = np.asarray(image, np.float32).copy()

    def develop(self) -> Image.Image:
        """The finished photo: vignette, colour cast, contrast, sensor noise."""
        width, height = self.size
        picture = self.pixels * vignette(width, height, float(self.rng.uniform(0, 0.5)))[..., None]
        picture *= self.rng.normal(1, 0.04, 3).astype(np.float32)
        picture = 118 + (picture - 118) * np.float32(self.rng.uniform(0.85, 1.2)) + np.float32(self.rng.normal(0, 10))
        grain = self.rng.standard_normal((height, width, 1), np.float32) + self.rng.standard_normal(
            (height, width, 3), np.float32
        )
        picture += np.float32(self.rng.uniform(0.5, 5)) * grain
        return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))

    def _box(self, outline: Points) -> tuple[int, int, int, int] | None:
        width, height = self.size
        left, top = np.floor(outline.min(axis=0)).astype(int) - 2
        right, bottom = np.ceil(outline.max(axis=0)).astype(int) + 3
        box = max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom))
        return box if box[2] - box[0] > 2 and box[3] - box[1] > 2 else None


def ring(count: int, turn: float) -> Iterator[float]:
    """Evenly spread directions in radians."""
    for number in range(count):
        yield turn + number * 2 * np.pi / count


def squashed(points: Points, x: float, y: float, squash: float) -> Points:
    """Seen at a slant: flattened towards (x, y) by `squash`."""
    return place((points - (x, y)) * (1.0, squash), x, y)
