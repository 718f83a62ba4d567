"""Ink drawings of organisms on paper, single or as a plate of several numbered figures, some with a wash of colour."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from train.samples.brush import Color, Rng, chance, paper, pick, stroke, text_width, vary, write
from train.samples.motifs import MOTIFS
from train.samples.names import binomial
from train.samples.pen import Pen

PAPERS: Final[tuple[Color, ...]] = (
    (246, 240, 222), (238, 228, 202), (252, 250, 244), (255, 255, 255), (228, 214, 184), (244, 238, 230),
)  # fmt: skip
INKS: Final[tuple[Color, ...]] = ((25, 22, 20), (60, 45, 35), (35, 35, 45))
WASH: Final[Color] = (170, 160, 120)


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One drawing or plate."""
    ground = vary(rng, pick(rng, PAPERS), 2.5)
    sheet = paper(rng, width, height, ground, float(rng.uniform(1, 4)), float(rng.uniform(0, 6)))
    canvas = sheet.resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    ink = pick(rng, INKS)
    tint = WASH if chance(rng, 0.4) else None
    cells = _cells(rng, canvas.width, canvas.height)
    for number, (x, y, side) in enumerate(cells, start=1):
        pen = Pen(
            draw=ImageDraw.Draw(canvas),
            rng=rng,
            x=x,
            y=y,
            scale=side * float(rng.uniform(0.8, 0.95)),
            angle=float(rng.normal(0, 0.15)),
            ink=ink,
            ground=ground,
            tint=tint,
            weight=max(2.0, side / float(rng.uniform(200, 320))),
        )
        pick(rng, MOTIFS)(pen)
        if len(cells) > 1:
            write(canvas, x - 0.46 * side, y - 0.42 * side, f"{number}.", 0.07 * side, ink, slant=True)
    _lettering(rng, canvas, ink, is_plate=len(cells) > 1)
    return canvas.reduce(2)


def _cells(rng: Rng, width: int, height: int) -> list[tuple[float, float, float]]:
    """Centre and side of each figure: one, or a grid that fits the sheet."""
    if chance(rng, 0.5):
        return [(width / 2, height / 2, 0.9 * min(width, height))]
    columns, rows = (2, 3) if height > 1.2 * width else (3, 2) if width > 1.2 * height else (2, 2)
    if chance(rng, 0.3):
        columns, rows = (1, 2) if height > width else (2, 1)
    side = 0.94 * min(width / columns, height * 0.9 / rows)
    return [
        (width * (column + 0.5) / columns, height * (0.06 + 0.88 * (row + 0.5) / rows), side)
        for row in range(rows)
        for column in range(columns)
    ]


def _lettering(rng: Rng, canvas: Image.Image, ink: Color, *, is_plate: bool) -> None:
    """Plate number, caption, frame line."""
    width, height = canvas.size
    size = 0.022 * (width + height) / 2
    if is_plate and chance(rng, 0.7):
        title = f"PLATE {pick(rng, ('I', 'II', 'III', 'IV', 'VII', 'XII', 'XXI'))}."
        write(canvas, (width - text_width(title, size)) / 2, 1.3 * size, title, size, ink)
    if chance(rng, 0.5):
        caption = f"{binomial(rng)}, {pick(rng, ('L.', 'Mill.', 'Fabr.', 'del.'))}"
        write(canvas, (width - text_width(caption, size)) / 2, height - 1.5 * size, caption, size, ink, slant=True)
    if chance(rng, 0.3):
        inset = 0.6 * size
        frame = np.array(
            [[inset, inset], [width - inset, inset], [width - inset, height - inset], [inset, height - inset]]
        )
        stroke(ImageDraw.Draw(canvas), frame, ink, size / 10, closed=True)
