"""Distribution maps: coast, graticule, coloured range or dots, legend, scale bar, title."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from train.samples.brush import Color, Field, Rng, chance, clouds, mix, pick, stroke, text_width, vary, write
from train.samples.names import binomial, genus
from train.samples.shapes import spline

INK: Final[Color] = (30, 30, 30)


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one map."""

    sea: Color
    land: Color
    coast: Color


PALETTES: Final = (
    Palette((190, 220, 240), (238, 232, 205), (90, 110, 130)),
    Palette((255, 255, 255), (218, 218, 218), (70, 70, 70)),
    Palette((255, 255, 255), (255, 255, 255), (20, 20, 20)),
    Palette((165, 205, 225), (200, 215, 165), (60, 90, 70)),
    Palette((222, 236, 246), (250, 248, 240), (120, 120, 120)),
    Palette((120, 165, 200), (214, 192, 150), (80, 60, 40)),
    Palette((235, 235, 235), (190, 190, 190), (255, 255, 255)),
)
RANGES: Final[tuple[Color, ...]] = (
    (220, 50, 40), (240, 140, 30), (60, 150, 60), (120, 60, 160), (200, 30, 110), (40, 90, 190), (90, 90, 90),
)  # fmt: skip


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One map."""
    palette = pick(rng, PALETTES)
    ground = clouds(rng, width, height, float(rng.uniform(1.5, 4)), 6, 0.5)
    level = float(np.quantile(ground, rng.uniform(0.3, 0.65)))
    colors = [pick(rng, RANGES) for _ in range(int(rng.integers(1, 4)))]
    has_area = chance(rng, 0.65)
    picture = _terrain(rng, ground, level, palette, colors if has_area else [])
    canvas = Image.fromarray(picture).resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    unit = (width * height) ** 0.5 / 50
    if chance(rng, 0.5):
        _borders(rng, canvas, ground, level, palette, unit)
    if chance(rng, 0.75):
        _graticule(rng, canvas, palette, unit)
    if not has_area or chance(rng, 0.4):
        _dots(rng, canvas, ground, level, colors, unit)
    _furniture(rng, canvas, colors, unit)
    return canvas.reduce(2)


def _blend(picture: Field, share: Field, color: Color) -> Field:
    mixed: Field = picture + share[..., None] * (np.asarray(color, np.float32) - picture)
    return mixed


def _terrain(
    rng: Rng, ground: Field, level: float, palette: Palette, areas: list[Color]
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Sea, land, relief, coloured ranges and the coast line, (H, W, 3)."""
    height, width = ground.shape
    sharp = 0.35 * max(width, height) / 8
    land = np.clip((ground - level) * sharp + 0.5, 0, 1)
    picture = np.broadcast_to(np.asarray(palette.sea, np.float32), (height, width, 3))
    picture = _blend(picture, land, vary(rng, palette.land, 5))
    if chance(rng, 0.3):
        slope = np.gradient(clouds(rng, width, height, 10, 4, 0.6), axis=1) * width / 20
        picture = picture + (land * np.clip(12 * slope, -40, 40))[..., None]
    for color in areas:
        shape = clouds(rng, width, height, float(rng.uniform(1.5, 3)), 4, 0.4) + 0.5 * ground
        edge = float(np.quantile(shape, rng.uniform(0.6, 0.85)))
        inside = land * np.clip((shape - edge) * sharp / 2 + 0.5, 0, 1)
        picture = _blend(picture, inside * np.float32(rng.uniform(0.5, 0.95)), color)
    steepness = np.hypot(*np.gradient(land))
    return np.clip(_blend(picture, np.clip(1.6 * steepness, 0, 1), palette.coast), 0, 255).astype(np.uint8)


def _borders(rng: Rng, canvas: Image.Image, ground: Field, level: float, palette: Palette, unit: float) -> None:
    """Country borders (the edges between wobbly cells) or rivers, on land only."""
    height, width = ground.shape
    seeds = rng.uniform(0, 1, (int(rng.integers(4, 12)), 2)) * (height, width)
    y, x = np.mgrid[0:height:2, 0:width:2].astype(np.float32)
    wobble = clouds(rng, x.shape[1], x.shape[0], 12, 3) * np.float32(unit)
    distance = np.stack([np.hypot(y - sy + wobble, x - sx + wobble) for sy, sx in seeds])
    owner = Image.fromarray(distance.argmin(axis=0).astype(np.uint8)).resize(canvas.size, Image.Resampling.NEAREST)
    edge = np.asarray(owner.filter(ImageFilter.MaxFilter(3))) != np.asarray(owner)
    on_land = np.asarray(Image.fromarray((ground > level).astype(np.uint8)).resize(canvas.size)) > 0
    mask = Image.fromarray(((edge & on_land) * np.uint8(200)).astype(np.uint8))
    canvas.paste(mix(palette.coast, (150, 150, 150), 0.5), (0, 0), mask)


def _graticule(rng: Rng, canvas: Image.Image, palette: Palette, unit: float) -> None:
    """Meridians and parallels, straight or of a conic projection, with degrees at the edge."""
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    color = mix(mix(palette.sea, palette.coast, 0.4), (120, 140, 160), 0.4)
    bend = pick(rng, (0.0, 0.0, 0.12, 0.2)) * height
    fan = 0.25 if bend else 0.0
    step = width / float(rng.uniform(4, 8))
    degree = int(rng.integers(0, 12)) * 10
    for number, x in enumerate(np.arange(step * rng.random(), width, step)):
        outer = x + (x - width / 2) * fan
        stroke(draw, np.array([[x, 0], [outer, height]]), color, 0.12 * unit)
        if not bend:
            write(canvas, x + 0.3 * unit, unit, f"{degree + 10 * number}°", 1.6 * unit, INK)
    for y in np.arange(step * rng.random(), height + bend, step):
        stroke(draw, spline([(0, y - bend), (width / 2, y), (width, y - bend)]), color, 0.12 * unit)


def _dots(rng: Rng, canvas: Image.Image, ground: Field, level: float, colors: list[Color], unit: float) -> None:
    """Records of a species on land, in clumps."""
    draw = ImageDraw.Draw(canvas)
    rows, columns = np.nonzero(ground > level + 0.15)
    if not len(rows):
        return
    radius = float(rng.uniform(0.4, 0.9)) * unit
    for color in colors:
        kind = pick(rng, ("circle", "circle", "square", "triangle"))
        clumps = rng.integers(0, len(rows), int(rng.integers(2, 7)))
        for _ in range(int(rng.integers(15, 70))):
            clump = int(pick(rng, clumps.tolist()))
            x, y = 2 * columns[clump] + rng.normal(0, 7 * unit), 2 * rows[clump] + rng.normal(0, 5 * unit)
            row, column = int(y / 2), int(x / 2)
            if 0 <= row < ground.shape[0] and 0 <= column < ground.shape[1] and ground[row, column] > level:
                _marker(draw, kind, x, y, radius, color)


def _marker(draw: ImageDraw.ImageDraw, kind: str, x: float, y: float, radius: float, color: Color) -> None:
    outline = max(1, round(radius / 5))
    if kind == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline=INK, width=outline)
    elif kind == "square":
        draw.rectangle((x - radius, y - radius, x + radius, y + radius), fill=color, outline=INK, width=outline)
    else:
        draw.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=color, outline=INK)


def _furniture(rng: Rng, canvas: Image.Image, colors: list[Color], unit: float) -> None:
    """Frame, title, legend, scale bar, north arrow: most maps have some of them."""
    width, height = canvas.size
    draw = ImageDraw.Draw(canvas)
    if chance(rng, 0.75):
        _scale_bar(
            rng, canvas, unit, *pick(rng, ((4 * unit, height - 4 * unit), (width - 24 * unit, height - 4 * unit)))
        )
    if chance(rng, 0.7):
        _legend(rng, canvas, colors, unit)
    if chance(rng, 0.5):
        title = pick(rng, (f"Distribution of {binomial(rng)}", binomial(rng), f"Range map: {genus(rng)} spp."))
        size = min(3.2 * unit, 0.85 * width * 3.2 / max(1.0, text_width(title, 32)) * 10)
        left = (width - text_width(title, size)) / 2
        draw.rectangle((left - unit, 1.2 * unit, width - left + unit, 1.2 * unit + 1.7 * size), fill=(255, 255, 255))
        write(canvas, left, 1.2 * unit + 0.85 * size, title, size, INK)
    if chance(rng, 0.35):
        x, y = width - 6 * unit, float(rng.uniform(8, 14)) * unit
        draw.polygon([(x, y - 4 * unit), (x - 1.3 * unit, y), (x, y - unit), (x + 1.3 * unit, y)], fill=INK)
        write(canvas, x - 0.8 * unit, y + 1.4 * unit, "N", 2.2 * unit, INK)
    if chance(rng, 0.8):
        draw.rectangle((0, 0, width - 1, height - 1), outline=INK, width=max(2, round(0.3 * unit)))


def _scale_bar(rng: Rng, canvas: Image.Image, unit: float, x: float, y: float) -> None:
    draw = ImageDraw.Draw(canvas)
    part = 4 * unit
    for number in range(4):
        fill = INK if number % 2 == 0 else (255, 255, 255)
        draw.rectangle((x + number * part, y, x + (number + 1) * part, y + 0.7 * unit), fill=fill, outline=INK)
    write(canvas, x, y - 1.2 * unit, f"0      {int(pick(rng, (50, 100, 250, 500, 1000)))} km", 1.8 * unit, INK)


def _legend(rng: Rng, canvas: Image.Image, colors: list[Color], unit: float) -> None:
    width, height = canvas.size
    draw = ImageDraw.Draw(canvas)
    names = [
        pick(rng, ("breeding", "non-breeding", "resident", "introduced", "extinct", binomial(rng))) for _ in colors
    ]
    box_width = 6 * unit + max(text_width(name, 2 * unit) for name in names)
    box_height = (3 * len(names) + 1) * unit
    left = pick(rng, (2 * unit, width - box_width - 2 * unit))
    top = pick(rng, (7 * unit, height - box_height - 8 * unit))
    draw.rectangle((left, top, left + box_width, top + box_height), fill=(255, 255, 255), outline=INK)
    for number, (name, color) in enumerate(zip(names, colors, strict=True)):
        y = top + (3 * number + 2) * unit
        draw.rectangle((left + unit, y - unit, left + 4 * unit, y + unit), fill=color, outline=INK)
        write(canvas, left + 4.6 * unit, y, name, 2 * unit, INK, slant=" " in name)
