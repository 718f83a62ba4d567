"""An engraver's pen: outlines, hatching and stippling of unit shapes, placed anywhere on a sheet."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import ImageDraw

from train.samples.brush import Color, Rng, mix, stroke, taper, xy
from train.samples.shapes import Points, place


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws shapes given in units of `scale` pixels round (x, y), turned by `angle` radians."""

    draw: ImageDraw.ImageDraw
    rng: Rng
    x: float
    y: float
    scale: float
    angle: float
    ink: Color
    ground: Color
    tint: Color | None
    """Watercolour wash over the ground; None for ink only."""
    weight: float
    """Line width in pixels."""

    def at(self, x: float, y: float, angle: float = 0.0, scale: float = 1.0) -> "Pen":
        """A pen for a part: its own origin, direction and scale, in this pen's units."""
        ((new_x, new_y),) = self._map(np.array([[x, y]])).tolist()
        return replace(self, x=new_x, y=new_y, angle=self.angle + angle, scale=self.scale * scale)

    def _map(self, points: Points) -> Points:
        return place(points, self.x, self.y, self.angle, self.scale)

    def line(self, points: Points, weight: float = 1.0) -> None:
        """An even line."""
        stroke(self.draw, self._map(points), self.ink, self.weight * weight)

    def swell(self, points: Points, start: float, end: float) -> None:
        """A line that thins from `start` to `end` line widths."""
        taper(self.draw, self._map(points), self.ink, start * self.weight, end * self.weight)

    def shape(self, points: Points, tint: Color | None = None, weight: float = 1.0) -> None:
        """A closed outline that hides what lies under it."""
        outline = self._map(points)
        wash = tint if tint is not None and self.tint is not None else self.tint
        self.draw.polygon(xy(outline), fill=mix(self.ground, wash, 0.55) if wash else self.ground)
        stroke(self.draw, outline, self.ink, self.weight * weight, closed=True)

    def blot(self, points: Points) -> None:
        """A shape filled with ink."""
        self.draw.polygon(xy(self._map(points)), fill=self.ink)

    def hatch(self, points: Points, angle: float, gap: float, start: float = 0.0, end: float = 1.0) -> None:
        """Parallel lines inside a closed shape; each covers the part from `start` to `end` of its way across."""
        for left, right in _scan(points, angle, gap):
            lower = start + float(self.rng.uniform(-0.06, 0.06)) * (start > 0)
            upper = end + float(self.rng.uniform(-0.08, 0.08)) * (end < 1)
            self.line(np.array([left + (right - left) * lower, left + (right - left) * upper]), 0.5)

    def stipple(self, points: Points, gap: float, lean: float = 1.0) -> None:
        """Dots inside a closed shape, denser towards one side where `lean` is above 1."""
        radius = 0.55 * self.weight
        for left, right in _scan(points, 0.3, gap):
            count = max(1, int(np.hypot(*(right - left)) / gap))
            share = self.rng.random(count) ** lean
            dots = self._map(left + share[:, None] * (right - left) + self.rng.normal(0, gap / 3, (count, 2)))
            for x, y in dots.tolist():
                self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=self.ink)


def _scan(points: Points, angle: float, gap: float) -> list[tuple[Points, Points]]:
    """Where lines of that direction and distance enter and leave a closed shape."""
    flat = place(points, 0, 0, -angle)
    after = np.roll(flat, -1, axis=0)
    spans = []
    for level in np.arange(flat[:, 1].min() + gap / 2, flat[:, 1].max(), gap):
        crosses = (flat[:, 1] > level) != (after[:, 1] > level)
        one, two = flat[crosses], after[crosses]
        across = np.sort(one[:, 0] + (level - one[:, 1]) / (two[:, 1] - one[:, 1]) * (two[:, 0] - one[:, 0]))
        for enter, leave in zip(across[::2], across[1::2], strict=False):
            ends = place(np.array([[enter, level], [leave, level]]), 0, 0, angle)
            spans.append((ends[0], ends[1]))
    return spans
