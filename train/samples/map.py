"""Distribution maps: coast, graticule, coloured ranges or dots, borders, legend, scale bar, title."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from train.samples.canvas import HUES, INK, SPECIES, WHITE, Color, Rng, clouds, font, mask, mix, pick, vary

PALETTES: Final[tuple[tuple[Color, Color, Color], ...]] = (  # sea, land, coast
    ((190, 220, 240), (238, 232, 205), (90, 110, 130)), (WHITE, (218, 218, 218), (70, 70, 70)),
    (WHITE, WHITE, (20, 20, 20)), ((165, 205, 225), (200, 215, 165), (60, 90, 70)),
    ((120, 165, 200), (214, 192, 150), (80, 60, 40)), ((235, 235, 235), (190, 190, 190), WHITE),
)  # fmt: skip


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One map."""
    sea, land, coast = pick(rng, PALETTES)
    relief = clouds(rng, width, height, rng.uniform(1.5, 4), 6)
    relief -= np.float32(np.quantile(relief, rng.uniform(0.3, 0.65)))
    colors, has_ranges = [pick(rng, HUES) for _ in range(int(rng.integers(1, 4)))], rng.random() < 0.65
    picture = Image.new("RGB", (width, height), sea)
    picture.paste(vary(rng, land, 5), (0, 0), mask(relief > 0))
    for color in colors if has_ranges else []:
        habitat = clouds(rng, width, height, rng.uniform(1.5, 3)) + relief / 2
        inside = (relief > 0) & (habitat > np.quantile(habitat, rng.uniform(0.6, 0.85)))
        picture.paste(color, (0, 0), mask(0.8 * inside))
    if rng.random() < 0.5:
        states = np.where(relief > 0, np.round(clouds(rng, width, height, rng.uniform(1, 3))), 9)
        picture.paste(mix(coast, (150, 150, 150), 0.5), (0, 0), mask(np.hypot(*np.gradient(states))))
    picture.paste(coast, (0, 0), mask(np.hypot(*np.gradient(np.sign(relief)))))
    canvas = picture.resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    pen, unit = ImageDraw.Draw(canvas), (width * height) ** 0.5 / 25
    if rng.random() < 0.75:
        _graticule(rng, pen, canvas, unit, mix(mix(sea, coast, 0.4), (120, 140, 160), 0.4))
    on_land = np.argwhere(relief > 0)
    for color in colors if not has_ranges or rng.random() < 0.4 else []:
        radius, clumps = unit * rng.uniform(0.2, 0.45), on_land[rng.integers(0, len(on_land), int(rng.integers(2, 7)))]
        spots = rng.normal(clumps, 0.06 * max(width, height), (int(rng.integers(8, 20)), *clumps.shape)).astype(int)
        for y, x in spots.reshape(-1, 2).tolist():
            if 0 <= y < height and 0 <= x < width and relief[y, x] > 0:
                pen.circle((2 * x, 2 * y), radius, color, INK)
    _furniture(rng, pen, 2 * width, 2 * height, colors, unit)
    return canvas.reduce(2)


def _graticule(rng: Rng, pen: ImageDraw.ImageDraw, canvas: Image.Image, unit: float, color: Color) -> None:
    """Meridians and parallels, straight or of a conic projection, with degrees at the edge."""
    bend, step, weight = pick(rng, (0, 0, 0.12, 0.2)), canvas.width / rng.uniform(4, 8), max(1, round(unit / 16))
    for number, at in enumerate(np.arange(step * rng.random(), canvas.width, step).tolist()):
        pen.line((at, 0, at + (2 * at - canvas.width) * bend, canvas.height), color, weight)
        pen.text((at + unit / 5, unit / 5), f"{10 * number + 20}°", INK, font(unit))
    x = np.linspace(-0.5, 0.5, 20)
    for at in np.arange(step * rng.random(), canvas.height * (1 + bend), step):
        line = np.column_stack([(x + 0.5) * canvas.width, at - 4 * bend * canvas.height * x**2])
        pen.line(line.ravel().tolist(), color, weight)


def _furniture(rng: Rng, pen: ImageDraw.ImageDraw, width: int, height: int, colors: list[Color], unit: float) -> None:
    """Legend, title, scale bar and frame: most maps have some of them."""
    if rng.random() < 0.7:
        x, y = pick(rng, (unit, width - 10 * unit)), pick(rng, (4 * unit, height - (3 + 1.5 * len(colors)) * unit))
        pen.rectangle((x, y, x + 9 * unit, y + (1.5 * len(colors) + 0.5) * unit), WHITE, INK)
        for top, color in enumerate(colors):
            box = x + unit / 2, y + (1.5 * top + 0.5) * unit, x + 2 * unit, y + (1.5 * top + 1.5) * unit
            pen.rectangle(box, color, INK)
            pen.text((x + 2.4 * unit, box[1]), pick(rng, ("breeding", "resident", "introduced")), INK, font(unit))
    if rng.random() < 0.5:
        title, halo = pick(rng, ("Distribution of {}", "{}", "Range: {}")).format(pick(rng, SPECIES)), 1 + unit / 5
        pen.text((width / 2, 2 * unit), title, INK, font(1.3 * unit), "mm", stroke_width=halo, stroke_fill=WHITE)
    if rng.random() < 0.75:
        x, y = pick(rng, (2 * unit, width - 12 * unit)), height - 1.5 * unit
        for number in range(4):
            pen.rectangle((x, y, x + 2.5 * unit * (4 - number), y + unit / 3), INK if number % 2 else WHITE, INK)
        pen.text((x, y), f"0      {pick(rng, (50, 100, 250, 500, 1000))} km", INK, font(unit), anchor="ld")
    if rng.random() < 0.8:
        pen.rectangle((0, 0, width - 1, height - 1), None, INK, max(2, round(unit / 6)))
