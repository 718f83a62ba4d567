"""Phylogenetic trees: rectangular, slanted or circular, with tip labels, support values and coloured clades."""

import numpy as np
from PIL import Image, ImageDraw

from train.samples.canvas import HUES, INK, SPECIES, WHITE, Color, Rng, font, pick

Shape = tuple[float, bool]  # about which share of the tips goes to one side; are all tips equally far from the root
Branch = tuple[float, float, float, float, Color]  # start, end: x from 0 at the root to 1, y counted in tips


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One tree figure."""
    side, ground = min(width, height), pick(rng, (WHITE, WHITE, WHITE, (250, 248, 240), (240, 244, 248)))
    is_round = side > 0.6 * max(width, height) and rng.random() < 0.35
    canvas = Image.new("RGB", (side, 4 * side) if is_round else (2 * width, 2 * height), ground)
    pen, tips = ImageDraw.Draw(canvas), int(rng.integers(8, max(10, min(46, height // 14))))
    row = 0.92 * canvas.height / tips
    size = min(0.8 * row, canvas.width / 28)
    scale = 0.94 * canvas.width - font(size).getlength("Acanthis sylvatica")
    weight, is_slanted = max(2, round(size / rng.uniform(5, 10))), not is_round and rng.random() < 0.3
    _, branches = _clade(rng, 0, tips, 0, (rng.uniform(0.2, 0.5), rng.random() < 0.5))
    starts = {(x, y) for x, y, *_ in branches}
    for x, y, end_x, end_y, color in branches:
        left, top, right, bottom = x * scale + size, (y + 0.6) * row, end_x * scale + size, (end_y + 0.6) * row
        pen.line((left, top, *(() if is_slanted else (left, bottom)), right, bottom), color, weight + is_round)
        if (end_x, end_y) not in starts:
            pen.text((right + size / 2, bottom), pick(rng, SPECIES), color, font(size), anchor="lm")
        elif rng.random() < 0.5:
            pen.text((right - 3, bottom - 2), str(rng.integers(50, 101)), INK, font(0.7 * size), anchor="rb")
    if is_round:
        canvas = _rolled(canvas, 2 * width, 2 * height, rng.uniform(0.1, 0.8))
    elif rng.random() < 0.6:
        pen.line((size, 0.98 * canvas.height, 5 * size, 0.98 * canvas.height), INK, weight)
        pen.text((3 * size, 0.975 * canvas.height), pick(rng, ("0.05", "0.1", "10 Ma")), INK, font(size), anchor="mb")
    return canvas.reduce(2)


def _clade(rng: Rng, first: int, last: int, x: float, shape: Shape, color: Color = INK) -> tuple[float, list[Branch]]:
    """The clade of the tips from `first` to before `last`, whose root is at x: the root's y, and all branches."""
    if last - first == 1:
        return first, []
    middle = first + int(np.clip(rng.binomial(last - first, shape[0]), 1, last - first - 1))
    branches, ends = [], []
    for start, end in ((first, middle), (middle, last)):
        tone = pick(rng, HUES) if color == INK and rng.random() < 0.4 else color
        step = (1 - x) * rng.uniform(0.15, 0.45) / max(1, np.log2(end - start) / 2)
        end_x = 1 if shape[1] and end - start == 1 else x + step
        end_y, inner = _clade(rng, start, end, end_x, shape, tone)
        branches += inner
        ends.append((end_x, end_y, tone))
    y = (ends[0][1] + ends[1][1]) / 2
    return y, [*branches, *((x, y, *end) for end in ends)]


def _rolled(tree: Image.Image, width: int, height: int, gap: float) -> Image.Image:
    """The tree rolled up: root in the middle, tips round the rim, an angle of `gap` radians left open."""
    x, y = np.arange(width)[None, :] - width / 2, np.arange(height)[:, None] - height / 2
    across = np.hypot(x, y) * 2 * tree.width / min(width, height)
    down = (np.arctan2(y, x) + np.pi) / (2 * np.pi - gap) * tree.height
    inside = (across < tree.width) & (down < tree.height)
    pixels = np.full((height, width, 3), tree.getpixel((0, 0)), np.uint8)
    pixels[inside] = np.asarray(tree)[down[inside].astype(int), across[inside].astype(int)]
    return Image.fromarray(pixels)
