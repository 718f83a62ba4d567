"""Phylogenetic trees: rectangular, slanted and circular, with tip labels, support values and coloured clades."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from train.samples.brush import Color, Rng, chance, pick, stroke, text_width, write
from train.samples.names import binomial, genus
from train.samples.shapes import Points

INK: Final[Color] = (20, 20, 20)
CLADES: Final[tuple[Color, ...]] = (
    (200, 40, 40), (30, 110, 180), (40, 140, 70), (220, 130, 20), (130, 70, 160), (0, 140, 150), (150, 90, 40),
)  # fmt: skip


Layout = Callable[["Node"], tuple[float, float]]


@dataclass(slots=True)
class Node:
    """A branch point or a tip. `place` is the tip order (0, 1, ...); `depth` runs from 0 at the root to 1."""

    depth: float
    place: float = 0.0
    name: str = ""
    support: str = ""
    color: Color = INK
    children: list["Node"] = field(default_factory=list)

    def tips(self) -> list["Node"]:
        """From first to last."""
        return [tip for child in self.children for tip in child.tips()] if self.children else [self]

    def paint(self, color: Color) -> None:
        """Give the whole clade a colour."""
        self.color = color
        for child in self.children:
            child.paint(color)


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One tree figure."""
    ground = pick(rng, ((255, 255, 255), (255, 255, 255), (255, 255, 255), (250, 248, 240), (240, 244, 248)))
    canvas = Image.new("RGB", (2 * width, 2 * height), ground)
    root = _grow(rng, height)
    if min(width, height) / max(width, height) > 0.6 and chance(rng, 0.35):
        _circular(rng, canvas, root)
    else:
        _upright(rng, canvas, root)
    return canvas.reduce(2)


def _grow(rng: Rng, height: int) -> Node:
    """A random tree whose tips still fit the picture."""
    count = int(rng.integers(8, max(10, min(46, height // 14))))
    ultrametric = chance(rng, 0.5)
    root = _split(rng, count, 0.0, ultrametric, skew=float(rng.uniform(0.15, 0.5)))
    name = genus(rng)
    for place, tip in enumerate(root.tips()):
        if chance(rng, 0.25):
            name = genus(rng)
        tip.place = place
        tip.name = pick(rng, (binomial(rng), f"{name} {binomial(rng).split()[1]}", f"{name} sp. {rng.integers(1, 9)}"))
    _settle(root)
    if chance(rng, 0.75):
        _paint_clades(rng, root)
    return root


def _split(rng: Rng, tips: int, depth: float, ultrametric: bool, skew: float) -> Node:
    if tips == 1:
        return Node(1.0 if ultrametric else min(1.0, depth + float(rng.uniform(0.05, 0.5))))
    node = Node(depth, support=str(pick(rng, (100, 100, 99, 98, 95, 87, 76, 64, 53))) if chance(rng, 0.6) else "")
    left = int(np.clip(rng.binomial(tips, skew), 1, tips - 1))
    for share in (left, tips - left):
        step = (1 - depth) * float(rng.uniform(0.12, 0.4)) / max(1.0, np.log2(share) / 2)
        node.children.append(_split(rng, share, depth + step, ultrametric, skew))
    return node


def _settle(node: Node) -> float:
    """Place every branch point halfway between its children."""
    if node.children:
        node.place = (_settle(node.children[0]) + _settle(node.children[-1])) / 2
    return node.place


def _paint_clades(rng: Rng, root: Node) -> None:
    hues = rng.permutation(len(CLADES)).tolist()
    clades = [grandchild for child in root.children for grandchild in (child.children or [child])]
    for clade in clades:
        if hues and chance(rng, 0.8):
            clade.paint(CLADES[hues.pop()])


def _upright(rng: Rng, canvas: Image.Image, root: Node) -> None:
    """Root left, tips right; square or slanted branches."""
    width, height = canvas.size
    tips = root.tips()
    row = 0.88 * height / len(tips)
    size = min(0.85 * row, width / 34)
    longest = max(text_width(tip.name, size) for tip in tips)
    left, right = 0.05 * width, width - longest - 0.06 * width
    margin = (0.04 if chance(rng, 0.8) else 0.08) * height
    slanted = chance(rng, 0.3)
    line = max(2.0, size / float(rng.uniform(5, 10)))

    def at(node: Node) -> tuple[float, float]:
        return left + node.depth * (right - left), margin + (node.place + 0.5) * row

    if chance(rng, 0.3):
        _shade_clades(canvas, root, margin, row, left)
    _branches(canvas, root, at, line, slanted)
    if chance(rng, 0.7):
        _supports(canvas, root, at, 0.7 * size)
    dotted = chance(rng, 0.2)
    for tip in tips:
        x, y = at(tip)
        if dotted:
            ImageDraw.Draw(canvas).ellipse((x - size / 3, y - size / 3, x + size / 3, y + size / 3), fill=tip.color)
        write(canvas, x + 0.4 * size, y, tip.name, size, INK if chance(rng, 0.02) else tip.color, slant=True)
    _extras(rng, canvas, root, margin, row, size)


def _branches(canvas: Image.Image, node: Node, at: Layout, line: float, slanted: bool) -> None:
    draw = ImageDraw.Draw(canvas)
    x, y = at(node)
    for child in node.children:
        child_x, child_y = at(child)
        corner = [] if slanted else [(x, child_y)]
        stroke(draw, np.array([(x, y), *corner, (child_x, child_y)]), child.color, line)
        _branches(canvas, child, at, line, slanted)


def _supports(canvas: Image.Image, node: Node, at: Layout, size: float) -> None:
    x, y = at(node)
    if node.support and node.children:
        write(canvas, x - text_width(node.support, size) - 6, y - 0.6 * size, node.support, size, INK)
    for child in node.children:
        _supports(canvas, child, at, size)


def _shade_clades(canvas: Image.Image, root: Node, margin: float, row: float, left: float) -> None:
    """A pale box behind each coloured clade."""
    draw = ImageDraw.Draw(canvas)
    for child in root.children:
        for clade in child.children or [child]:
            tips = clade.tips()
            pale: Color = tuple(255 - (255 - channel) // 6 for channel in clade.color)  # type: ignore[assignment]
            top, bottom = margin + tips[0].place * row, margin + (tips[-1].place + 1) * row
            draw.rectangle((left + clade.depth * canvas.width / 2, top, canvas.width - 8, bottom - 2), fill=pale)


def _extras(rng: Rng, canvas: Image.Image, root: Node, margin: float, row: float, size: float) -> None:
    """Scale bar, time axis, clade bars with names, figure letter."""
    draw = ImageDraw.Draw(canvas)
    width, height = canvas.size
    bottom = height - 0.035 * height
    if chance(rng, 0.6):
        stroke(draw, np.array([[0.06 * width, bottom], [0.18 * width, bottom]]), INK, size / 7)
        write(canvas, 0.09 * width, bottom - 0.6 * size, pick(rng, ("0.05", "0.1", "0.02", "10 Ma")), 0.8 * size, INK)
    if chance(rng, 0.4):
        for child in root.children:
            tips = child.tips()
            if len(tips) > 2:
                x = width - 0.025 * width
                span = np.array([[x, margin + (tips[0].place + 0.2) * row], [x, margin + (tips[-1].place + 0.8) * row]])
                stroke(draw, span, tips[0].color, size / 3)
    if chance(rng, 0.2):
        write(canvas, 0.015 * width, 0.03 * height, pick(rng, ("A", "B", "(a)", "Fig. 2")), 1.4 * size, INK)


def _circular(rng: Rng, canvas: Image.Image, root: Node) -> None:
    """Root in the middle, tips on a circle."""
    draw = ImageDraw.Draw(canvas)
    tips = root.tips()
    side = min(canvas.size)
    gap = float(rng.uniform(0.1, 0.5))
    size = min(side / 42, 0.9 * side / len(tips))
    size *= min(1.0, 0.19 * side / max(text_width(tip.name, size) for tip in tips))
    radius = 0.485 * side - max(text_width(tip.name, size) for tip in tips) - 0.01 * side

    def turn(node: Node) -> float:
        return gap / 2 + (node.place + 0.5) / len(tips) * (2 * np.pi - gap)

    line = max(2.0, side / 450)
    _spokes(draw, root, turn, radius, canvas.width / 2, canvas.height / 2, line)
    for tip in tips:
        angle = turn(tip)
        reach = max(tip.depth, 0.05) * radius + 0.4 * size
        x, y = canvas.width / 2 + reach * np.cos(angle), canvas.height / 2 + reach * np.sin(angle)
        write(canvas, x, y, tip.name, size, tip.color, slant=True, turn=-float(np.degrees(angle)))


def _spokes(
    draw: ImageDraw.ImageDraw, node: Node, turn: Callable[[Node], float], radius: float, x: float, y: float, line: float
) -> None:
    """An arc along each branch point, a straight line out to each child."""

    def ring(angles: Points, depth: float) -> Points:
        reach = (0.06 + 0.94 * depth) * radius
        return np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)])

    for child in node.children:
        there = turn(child)
        arc, end = ring(np.linspace(turn(node), there, 12), node.depth), ring(np.array([there]), child.depth)
        stroke(draw, np.vstack([arc, end]), child.color, line)
        _spokes(draw, child, turn, radius, x, y, line)
