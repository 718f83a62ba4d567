"""Organisms on paper: herbarium sheets with pressed plants, and engraved or coloured illustrations."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from train.samples.canvas import HUES, INK, SPECIES, WHITE, Color, Rng, font, mix, pick, scan, vary
from train.samples.organisms import FOLIAGE, ORGANISMS, moved, plant

SHEETS: Final[tuple[Color, ...]] = ((233, 224, 200), (240, 235, 220), (224, 210, 180), (244, 241, 232), (252, 250, 244))
PATCHES: Final = ("red", "orange", "yellow", "green", "blue", "purple", "white", "silver", "gray", "black")
FADED: Final[Color] = (135, 95, 50)


def herbarium_sheet(rng: Rng, width: int, height: int) -> Image.Image:
    """A pressed plant on a mount with its label, and mostly barcode, colour chart, stamp and straps."""
    sheet, across, down = vary(rng, pick(rng, SHEETS), 3), 2 * width, 2 * height
    canvas = Image.new("RGB", (across, down), sheet)
    draw, unit, shade = ImageDraw.Draw(canvas), (width * height) ** 0.5 / 25, mix(sheet, (60, 50, 40), 0.35)
    green, bloom = (mix(pick(rng, fresh), FADED, rng.uniform(0.3, 0.7)) for fresh in (FOLIAGE, HUES))
    for lean in rng.normal(0, 0.2, int(rng.integers(1, 4))).tolist():
        foot, length = (across * rng.uniform(0.4, 0.52), down * rng.uniform(0.83, 0.9)), min(0.7 * down, 1.2 * across)
        upright = moved(plant(rng, green, bloom), (0, -0.5))
        for outline, color in moved(upright, foot, lean, length * rng.uniform(0.8, 1.1)):
            draw.polygon((outline + unit / 10).ravel().tolist(), shade)
            draw.polygon(outline.ravel().tolist(), color)
    for y in down * rng.uniform(0.5, 0.8, int(rng.integers(0, 4))):
        draw.line((0.4 * across, y, 0.4 * across + 3 * unit, y + rng.normal(0, unit)), (250, 248, 240), round(unit / 2))
    _mark(rng, draw, across, down, unit)
    if rng.random() < 0.35:
        draw.rectangle((0, 0, across - 1, down - 1), None, pick(rng, (INK, (60, 60, 60), (210, 210, 210))), round(unit))
    return scan(rng, canvas, rng.uniform(1, 3), 3)


def _mark(rng: Rng, draw: ImageDraw.ImageDraw, width: int, height: int, unit: float) -> None:
    """The label, and on most sheets a barcode, a colour chart with a scale bar, and a stamp."""
    x, y = width - rng.uniform(14.5, 16) * unit, height - rng.uniform(8, 10) * unit
    draw.rectangle((x, y, x + 14 * unit, y + 7.5 * unit), (252, 250, 242), (120, 115, 100))
    words = (
        f"{pick(rng, ('MUSEUM BOTANICUM', 'NATIONAL HERBARIUM'))}\n{pick(rng, SPECIES)}\n{rng.integers(1, 30)}00 m, "
    )
    words += f"{pick(rng, ('dry slope', 'wet meadow', 'rocks'))}\nNo. {rng.integers(999)}, det. K. Berg 1954"
    draw.multiline_text((x + unit / 2, y + unit / 2), words, INK, font(unit), spacing=0.7 * unit)
    if rng.random() < 0.75:
        x, y = unit, pick(rng, (unit, height - 4 * unit))
        draw.rectangle((x, y, x + 8 * unit, y + 3 * unit), WHITE)
        for bar in (x + rng.uniform(0.3, 7.6, 40) * unit).tolist():
            draw.line((bar, y + 0.3 * unit, bar, y + 1.8 * unit), INK, max(1, round(unit / 8)))
        draw.text((x + unit, y + 1.9 * unit), f"EX {rng.integers(10**7):08d}", INK, font(0.9 * unit))
    if rng.random() < 0.6:
        x, y = pick(rng, ((width - 13 * unit, 0.5 * unit), (0.5 * unit, height - 7 * unit)))
        for number, color in enumerate(PATCHES):
            left = x + 1.2 * unit * number
            draw.rectangle((left, y, left + 1.2 * unit, y + 1.2 * unit), color)
            draw.line((left, y + 1.2 * unit, left, y + (1.8 + number % 2 / 3) * unit), INK, 2)
    if rng.random() < 0.55:
        ink, x, y = pick(rng, ((70, 60, 140), (40, 80, 150), (150, 50, 60))), width * rng.uniform(0.2, 0.8), 5 * unit
        draw.ellipse((x - 2.8 * unit, y - 1.8 * unit, x + 2.8 * unit, y + 1.8 * unit), None, ink, round(unit / 5))
        draw.multiline_text((x, y), "HERBARIUM\nBOREALE", ink, font(0.75 * unit), anchor="mm", align="center")


def illustration(rng: Rng, width: int, height: int) -> Image.Image:
    """One drawing, or a plate of several numbered figures, hatched in ink, some with a wash of colour."""
    ground, ink = vary(rng, pick(rng, (*SHEETS, WHITE)), 3), pick(rng, (INK, (60, 45, 35), (35, 35, 45)))
    canvas, tone = Image.new("RGB", (2 * width, 2 * height), ground), Image.new("L", (2 * width, 2 * height))
    draw, shade = ImageDraw.Draw(canvas), ImageDraw.Draw(tone)
    across, down = pick(rng, ((1, 1), (1, 1), (2, 2), (2, 3) if height > width else (3, 2)))
    cell_x, cell_y, size = 2 * width / across, 1.84 * height / down, (width + height) / 45
    weight, wash, side = max(2, round(size / 8)), pick(rng, (0, 0, 0.5, 0.75)), min(cell_x, cell_y)
    for number in range(across * down):
        x, y, reach = (number % across + 0.5) * cell_x, (number // across + 0.5) * cell_y, side * rng.uniform(0.6, 0.8)
        draw.text((x - 0.46 * cell_x, y - 0.46 * cell_y), f"{number + 1}." if across > 1 else "", ink, font(size))
        for outline, color in moved(pick(rng, ORGANISMS)(rng), (x, y), rng.normal(0, 0.12), reach):
            lit = outline + 0.2 * (outline.mean(axis=0) - outline) - 0.08 * np.ptp(outline, axis=0)
            shade.polygon(outline.ravel().tolist(), 255)
            shade.polygon(lit.ravel().tolist(), 0)
            edge = ink if np.ptp(outline, axis=0).max() > 12 * weight else None
            draw.polygon(outline.ravel().tolist(), mix(ground, color, wash), edge, weight)
    slope, gap = 2 * height * rng.uniform(-1, 1), max(4, size / rng.uniform(1, 2))
    for x in np.arange(-2 * height, 2 * (width + height), gap).tolist():
        shade.line((x, 0, x + slope, 2 * height), 0, round(0.7 * gap))
    canvas.paste(ink, (0, 0), tone)
    if rng.random() < 0.7:
        caption = f"{pick(rng, SPECIES)}, {pick(rng, ('L.', 'Mill.', 'Fabr.', 'del.'))}"
        draw.text((width, 2 * height - 0.8 * size), caption, ink, font(size), anchor="ms")
    if rng.random() < 0.3:
        draw.rectangle((size / 2, size / 2, 2 * width - size / 2, 2 * height - size / 2), None, ink, 2)
    return scan(rng, canvas, rng.uniform(1, 4), rng.uniform(0, 6))
