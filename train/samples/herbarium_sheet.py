"""Herbarium sheets: a pressed plant on a mount, with label, barcode, colour bar, stamp and straps."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from train.samples.brush import Color, Rng, chance, mix, paper, pick, stroke, taper, text_width, vary, write, xy
from train.samples.names import binomial
from train.samples.shapes import LEAF_KINDS, LeafKind, Points, ellipse, heading, leaf, petal, place, spot, veins, wander

SHEETS: Final[tuple[Color, ...]] = ((233, 224, 200), (240, 235, 220), (224, 210, 180), (244, 241, 232), (230, 222, 205))
GREENS: Final[tuple[Color, ...]] = (
    (98, 96, 52),
    (84, 92, 56),
    (120, 100, 55),
    (92, 74, 46),
    (110, 118, 70),
    (70, 76, 44),
)
BLOOMS: Final[tuple[Color, ...]] = ((150, 90, 90), (180, 150, 70), (120, 85, 125), (160, 120, 90), (190, 170, 130))
INK: Final[Color] = (35, 30, 30)
BAR: Final[tuple[Color, ...]] = (
    (200, 40, 40), (240, 150, 30), (240, 220, 40), (60, 150, 70), (40, 90, 180), (130, 60, 140), (255, 255, 255),
    (170, 170, 170), (90, 90, 90), (15, 15, 15),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Habit:
    """How the plant of one sheet looks."""

    kind: LeafKind
    leaf_px: float
    green: Color
    bloom: Color | None
    opposite: bool
    spacing: int


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One sheet."""
    sheet = paper(rng, width, height, vary(rng, pick(rng, SHEETS), 2.5), float(rng.uniform(1, 3)), 3)
    canvas = sheet.resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    plant = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    _plant(rng, plant)
    _press(canvas, plant)
    if chance(rng, 0.6):
        _straps(rng, canvas)
    unit = (width * height) ** 0.5 / 50
    _label(rng, canvas, unit)
    if chance(rng, 0.75):
        _barcode(rng, canvas, unit)
    if chance(rng, 0.6):
        _color_bar(rng, canvas, unit)
    if chance(rng, 0.55):
        _stamp(rng, canvas, unit)
    if chance(rng, 0.3):
        _packet(rng, canvas, unit)
    return _scanned(rng, canvas.reduce(2))


def _plant(rng: Rng, layer: Image.Image) -> None:
    """One to three stems with leaves and flowers, upward from the lower middle; sometimes with roots."""
    width, height = layer.size
    side = min(width, height)
    habit = Habit(
        kind=pick(rng, LEAF_KINDS),
        leaf_px=side * float(rng.uniform(0.09, 0.26)),
        green=pick(rng, GREENS),
        bloom=pick(rng, BLOOMS) if chance(rng, 0.65) else None,
        opposite=chance(rng, 0.4),
        spacing=int(rng.integers(4, 8)),
    )
    stems = int(rng.integers(1, 4))
    foot = (width * float(rng.uniform(0.38, 0.52)), height * float(rng.uniform(0.8, 0.9)))
    for number in range(stems):
        lean = (number - (stems - 1) / 2) * 0.32 + float(rng.normal(0, 0.08))
        length = height * float(rng.uniform(0.58, 0.74)) * (0.8 if number else 1.0)
        _shoot(rng, layer, wander(rng, *foot, -np.pi / 2 + lean, length, 0.1), habit, depth=0)
    if chance(rng, 0.4):
        draw = ImageDraw.Draw(layer)
        for _ in range(int(rng.integers(8, 20))):
            root = wander(rng, *foot, np.pi / 2 + float(rng.normal(0, 0.7)), 0.09 * height, 0.5)
            taper(draw, root, vary(rng, (96, 74, 50), 10), side / 160, 1)


def _shoot(rng: Rng, layer: Image.Image, stem: Points, habit: Habit, depth: int) -> None:
    """A stem with its leaves, side shoots and flowers."""
    draw = ImageDraw.Draw(layer)
    thickness = min(layer.size) / (110 if depth == 0 else 190)
    taper(draw, stem, mix(habit.green, (100, 75, 45), 0.5), thickness, thickness / 3)
    for number, at in enumerate(range(7, len(stem) - 1, habit.spacing)):
        sides = (-1, 1) if habit.opposite else ((-1,) if number % 2 else (1,))
        shrink = 1.0 - 0.5 * at / len(stem)
        for side in sides:
            angle = heading(stem, at) + side * float(rng.normal(0.85, 0.22))
            if depth == 0 and chance(rng, 0.18):
                side_length = 0.32 * float(np.hypot(*(stem[-1] - stem[0]))) * shrink
                _shoot(rng, layer, wander(rng, *spot(stem, at), angle, side_length, 0.15), habit, 1)
            else:
                _leaf(rng, draw, *spot(stem, at), angle, habit, shrink * (0.65 if depth else 1.0))
    if habit.bloom:
        _flowers(rng, draw, stem, habit.bloom, habit.leaf_px)


def _leaf(rng: Rng, draw: ImageDraw.ImageDraw, x: float, y: float, angle: float, habit: Habit, shrink: float) -> None:
    length = habit.leaf_px * shrink * float(rng.uniform(0.8, 1.15))
    squeeze = np.array([1.0, float(rng.uniform(0.7, 1.1))])
    color = vary(rng, habit.green, 9)
    draw.polygon(xy(place(leaf(habit.kind) * squeeze, x, y, angle, length)), fill=color)
    dark = mix(color, (30, 25, 15), 0.35)
    stroke(draw, place(np.array([[-0.05, 0.0], [0.96, 0.0]]), x, y, angle, length), dark, length / 60)
    for vein in veins(habit.kind, 5):
        stroke(draw, place(vein * squeeze, x, y, angle, length), mix(color, dark, 0.6), length / 110)


def _flowers(rng: Rng, draw: ImageDraw.ImageDraw, stem: Points, bloom: Color, leaf_px: float) -> None:
    """Heads near the tip of the stem."""
    size = leaf_px * float(rng.uniform(0.22, 0.5))
    for at in rng.integers(int(0.82 * len(stem)), len(stem), int(rng.integers(1, 9))).tolist():
        x, y = stem[at] + rng.normal(0, 0.7 * size, 2)
        count = int(rng.integers(5, 9))
        for number in range(count):
            shape = place(petal(0.3), float(x), float(y), number * 2 * np.pi / count, size * float(rng.uniform(0.6, 1)))
            draw.polygon(xy(shape), fill=vary(rng, bloom, 12))
        draw.polygon(xy(ellipse(float(x), float(y), size / 5, size / 5, count=12)), fill=mix(bloom, (60, 40, 20), 0.5))


def _press(canvas: Image.Image, plant: Image.Image) -> None:
    """Lay the plant on the sheet with the soft shadow of a flat-bed scan."""
    mask = plant.getchannel("A")
    small = mask.reduce(4).filter(ImageFilter.GaussianBlur(max(canvas.size) / 1000))
    shadow = small.resize(canvas.size, Image.Resampling.BILINEAR).point(lambda value: value * 0.4)
    offset = round(min(canvas.size) / 200)
    canvas.paste((70, 60, 45), (offset, offset), shadow)
    canvas.paste(plant.convert("RGB"), (0, 0), mask)


def _straps(rng: Rng, canvas: Image.Image) -> None:
    """Strips of gummed linen over the stem."""
    width, height = canvas.size
    for y in np.linspace(0.35, 0.78, int(rng.integers(2, 5))) * height:
        x = width * float(rng.uniform(0.4, 0.52))
        strip = place(
            np.array([[-1, -0.1], [1, -0.1], [1, 0.1], [-1, 0.1]]), x, float(y), float(rng.normal(0, 0.3)), width / 30
        )
        ImageDraw.Draw(canvas).polygon(xy(strip), fill=(250, 248, 240), outline=(205, 198, 180))


def _label(rng: Rng, canvas: Image.Image, unit: float) -> None:
    """Lower right: institution, species, place, collector, date."""
    draw = ImageDraw.Draw(canvas)
    width, height = float(rng.uniform(26, 34)) * unit, float(rng.uniform(13, 18)) * unit
    left = canvas.width - width - float(rng.uniform(1.5, 4)) * unit
    top = canvas.height - height - float(rng.uniform(1.5, 4)) * unit
    draw.rectangle((left, top, left + width, top + height), fill=vary(rng, (252, 250, 242), 3), outline=(120, 115, 100))
    lines = [
        (
            pick(rng, ("HERBARIUM OF THE UNIVERSITY", "MUSEUM BOTANICUM", "NATIONAL HERBARIUM", "PLANTS OF THE NORTH")),
            1.5,
            False,
        ),
        (binomial(rng), 1.8, True),
        (f"det. {pick(rng, ('J. Moor', 'A. Linde', 'M. Roth', 'K. Berg'))}  {rng.integers(1880, 2015)}", 1.2, False),
        (
            f"Alt. {rng.integers(1, 30) * 100} m, {pick(rng, ('dry slope', 'wet meadow', 'open forest', 'rocks'))}",
            1.2,
            False,
        ),
        (
            f"Coll. No. {rng.integers(100, 9999)}   {rng.integers(1, 29)} {pick(rng, ('May', 'June', 'July', 'Aug.'))}",
            1.2,
            False,
        ),
    ]
    y = top + 2 * unit
    for words, size, slant in lines:
        size *= min(1.0, 0.92 * width / text_width(words, 100) * 100 / (size * unit))
        write(canvas, left + 0.04 * width, y, words, size * unit, INK, slant=slant)
        y += (height - 2 * unit) / len(lines)


def _barcode(rng: Rng, canvas: Image.Image, unit: float) -> None:
    draw = ImageDraw.Draw(canvas)
    width, height = 16 * unit, 5 * unit
    left = float(rng.uniform(1.5, 6)) * unit
    top = pick(rng, (canvas.height - 9 * unit, 2.5 * unit))
    draw.rectangle((left, top, left + width, top + height), fill=(252, 252, 252), outline=(150, 150, 150))
    x = left + unit
    while x < left + width - unit:
        bar = float(pick(rng, (0.15, 0.3, 0.45))) * unit
        draw.rectangle((x, top + 0.5 * unit, x + bar, top + 3.2 * unit), fill=(10, 10, 10))
        x += bar + float(pick(rng, (0.2, 0.35))) * unit
    write(canvas, left + 3 * unit, top + 4.1 * unit, f"EX {rng.integers(1, 10**7):08d}", 1.2 * unit, INK)


def _color_bar(rng: Rng, canvas: Image.Image, unit: float) -> None:
    """Patches and a centimetre ruler along one edge."""
    draw = ImageDraw.Draw(canvas)
    patch = 2.4 * unit
    if chance(rng, 0.5):
        left, top, step = canvas.width - patch * len(BAR) - 3 * unit, unit, (patch, 0.0)
    else:
        left, top, step = unit, canvas.height * 0.3, (0.0, patch)
    for number, color in enumerate(BAR):
        x, y = left + number * step[0], top + number * step[1]
        draw.rectangle((x, y, x + patch, y + patch), fill=color)
        if step[0]:
            draw.line((x, y + patch, x, y + patch + (1 + number % 2) * 0.4 * unit), fill=INK, width=2)


def _stamp(rng: Rng, canvas: Image.Image, unit: float) -> None:
    """An ownership stamp in worn ink."""
    ink = pick(rng, ((70, 60, 140), (40, 80, 150), (150, 50, 60)))
    radius = 5 * unit
    x, y = canvas.width * float(rng.uniform(0.12, 0.85)), canvas.height * float(rng.uniform(0.1, 0.3))
    draw = ImageDraw.Draw(canvas)
    stroke(draw, ellipse(x, y, radius, radius * 0.62, count=60), ink, 0.35 * unit, closed=True)
    stroke(draw, ellipse(x, y, radius * 0.85, radius * 0.48, count=60), ink, 0.2 * unit, closed=True)
    for words, shift in (("HERBARIUM", -0.6), (pick(rng, ("BOREALE", "ALPINUM", "HORTENSE")), 1.0)):
        write(canvas, x - text_width(words, 1.3 * unit) / 2, y + shift * unit, words, 1.3 * unit, ink)


def _packet(rng: Rng, canvas: Image.Image, unit: float) -> None:
    """A folded envelope for fragments."""
    draw = ImageDraw.Draw(canvas)
    left, top = float(rng.uniform(2, 5)) * unit, canvas.height * float(rng.uniform(0.6, 0.7))
    width, height = 11 * unit, 8 * unit
    draw.rectangle((left, top, left + width, top + height), fill=(240, 232, 212), outline=(180, 170, 145), width=2)
    draw.line([(left, top), (left + width / 2, top + height / 2), (left + width, top)], fill=(180, 170, 145), width=2)


def _scanned(rng: Rng, sheet: Image.Image) -> Image.Image:
    """Sometimes the scanner's bed shows round the sheet."""
    if chance(rng, 0.65):
        return sheet
    border = max(3, round(min(sheet.size) * float(rng.uniform(0.02, 0.05))))
    bed = Image.new("RGB", sheet.size, pick(rng, ((25, 25, 25), (60, 60, 60), (210, 210, 210), (250, 250, 250))))
    bed.paste(sheet.resize((sheet.width - 2 * border, sheet.height - 2 * border)), (border, border))
    return bed
