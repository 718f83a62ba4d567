"""Motifs of the illustrations. Each fills about the square from -0.5 to 0.5 round the pen's origin."""

from collections.abc import Callable
from typing import Final

import numpy as np

from train.samples.brush import Color, chance, pick
from train.samples.pen import Pen
from train.samples.shapes import LEAF_KINDS, LeafKind, ellipse, heading, leaf, petal, spline, spot, veins, wander

GREEN: Final[Color] = (110, 145, 80)
BLOOMS: Final[tuple[Color, ...]] = ((205, 90, 110), (225, 185, 70), (120, 110, 190), (240, 240, 235), (200, 70, 50))


def _leaf(pen: Pen, kind: LeafKind, teeth: int = 0) -> None:
    """A leaf from (0, 0) to (1, 0): outline, midrib, veins, one half hatched."""
    outline = leaf(kind, teeth)
    pen.shape(outline, GREEN)
    pen.swell(np.array([[-0.12, 0], [1.0, 0]]), 2.5, 0.6)
    for vein in veins(kind, 7):
        pen.line(vein, 0.6)
    pen.hatch(outline[len(outline) // 2 :], 0.9, 0.035)


def leaf_study(pen: Pen) -> None:
    """One large leaf."""
    kind = pick(pen.rng, LEAF_KINDS)
    _leaf(pen.at(-0.45, 0.3, -0.6), kind, pick(pen.rng, (0, 0, 9, 14)))


def twig(pen: Pen) -> None:
    """A stem with leaves on both sides and a bud or flower."""
    stem = wander(pen.rng, 0, 0.5, -np.pi / 2, 0.9, 0.12)
    kind = pick(pen.rng, LEAF_KINDS)
    pen.swell(stem, 5, 1.5)
    for number, at in enumerate(range(6, len(stem) - 4, max(4, len(stem) // 9))):
        side = -1 if number % 2 else 1
        angle = heading(stem, at) + side * float(pen.rng.uniform(0.7, 1.1))
        _leaf(pen.at(*spot(stem, at), angle, float(pen.rng.uniform(0.26, 0.36))), kind)
    if chance(pen.rng, 0.7):
        _blossom(pen.at(*spot(stem, -1), 0, 0.34))


def _blossom(pen: Pen) -> None:
    count = int(pick(pen.rng, (5, 5, 6, 8, 12)))
    shape = petal(min(0.3, 1.4 / count), pick(pen.rng, (0.0, 0.15)))
    color = pick(pen.rng, BLOOMS)
    turn = float(pen.rng.uniform(0, 6))
    for number in range(count):
        part = pen.at(0, 0, turn + number * 2 * np.pi / count, 0.5)
        part.shape(shape, color)
        for ray in (-0.5, -0.25, 0, 0.25, 0.5):
            part.line(np.array([[0.2, 0.1 * ray], [0.62, 0.45 * ray * shape[:, 1].max() * 2]]), 0.5)
    disc = ellipse(0, 0, 0.12, 0.12)
    pen.shape(disc, (215, 170, 60))
    pen.stipple(disc, 0.03)


def flower(pen: Pen) -> None:
    """A flower on its stem."""
    stem = spline([(0, -0.15), (0.03, 0.15), (-0.02, 0.5)])
    pen.swell(stem, 4, 5)
    for side in (-1, 1):
        _leaf(pen.at(0.02, 0.32, -np.pi / 2 + side * 1.0, 0.36), pick(pen.rng, LEAF_KINDS))
    _blossom(pen.at(0, -0.17, 0, 0.7))


def beetle(pen: Pen) -> None:
    """From above: elytra, pronotum, head, six legs, antennae."""
    width = float(pen.rng.uniform(0.15, 0.24))
    for side in (-1, 1):
        for y, reach, lift in ((-0.1, 0.2, -0.16), (0.03, 0.24, 0.03), (0.12, 0.22, 0.22)):
            leg = [(side * width * 0.7, y), (side * (width + reach * 0.5), y + lift * 0.5 - 0.04)]
            leg += [(side * (width + reach * 0.75), y + lift), (side * (width + reach), y + lift + 0.08)]
            pen.swell(np.array(leg), 4.5, 1.2)
        feeler = spline([(side * 0.05, -0.36), (side * 0.14, -0.46), (side * 0.3, -0.48)])
        pen.swell(feeler, 2, 1)
    body = ellipse(0, 0.13, width, 0.33)
    pen.shape(ellipse(0, -0.3, width * 0.5, 0.09), (60, 50, 45))
    pen.blot(ellipse(-width * 0.4, -0.32, 0.02, 0.025))
    pen.blot(ellipse(width * 0.4, -0.32, 0.02, 0.025))
    pen.shape(body, pick(pen.rng, ((120, 60, 40), (60, 90, 60), (70, 60, 110))))
    pen.hatch(body, 0.0, 0.018, 0.68)
    for x in np.linspace(-0.75, 0.75, 7):
        pen.line(np.array([[x * width, -0.05], [x * width * 0.9, 0.36 - 0.15 * abs(x)]]), 0.5)
    pen.line(np.array([[0, -0.2], [0, 0.46]]), 1.4)
    collar = ellipse(0, -0.19, width * 0.85, 0.1)
    pen.shape(collar, (90, 60, 45))
    pen.stipple(collar, 0.022, 0.6)


def butterfly(pen: Pen) -> None:
    """Wings spread, with veins and eye spots."""
    color = pick(pen.rng, BLOOMS)
    for side in (-1, 1):
        hind = spline([(0, 0.02), (side * 0.3, 0.05), (side * 0.36, 0.25), (side * 0.2, 0.42), (side * 0.04, 0.15)])
        fore = spline(
            [(0, -0.08), (side * 0.25, -0.36), (side * 0.5, -0.38), (side * 0.42, -0.05), (side * 0.02, 0.06)]
        )
        for wing, root in ((hind, (0.0, 0.05)), (fore, (0.0, -0.03))):
            pen.shape(wing, color)
            pen.hatch(wing, 0.5 * side, 0.03, 0.0, 0.3 if side < 0 else 0.22)
            for knot in wing[8:-8:5]:
                pen.line(np.array([root, tuple(knot)]), 0.6)
        for x, y, radius in ((side * 0.34, -0.22, 0.05), (side * 0.22, 0.24, 0.045)):
            pen.shape(ellipse(x, y, radius, radius))
            pen.blot(ellipse(x, y, radius * 0.55, radius * 0.55))
        pen.swell(spline([(side * 0.01, -0.2), (side * 0.08, -0.36), (side * 0.12, -0.45)]), 1.5, 1.0)
    body = ellipse(0, 0.02, 0.03, 0.22)
    pen.shape(body, (80, 60, 50))
    pen.hatch(body, 0.0, 0.02)


def fish(pen: Pen) -> None:
    """From the side, with scales and rayed fins."""
    body = spline(
        [
            (-0.45, 0.0),
            (-0.25, -0.15),
            (0.05, -0.17),
            (0.32, -0.04),
            (0.32, 0.04),
            (0.05, 0.16),
            (-0.25, 0.14),
            (-0.45, 0.0),
        ]
    )
    tail = np.array([[0.3, 0.0], [0.5, -0.17], [0.45, 0.0], [0.5, 0.17]])
    fins = (
        tail,
        np.array([[-0.2, -0.14], [-0.1, -0.28], [0.15, -0.24], [0.2, -0.1]]),
        np.array([[-0.05, 0.15], [0.06, 0.26], [0.14, 0.12]]),
    )
    for fin in fins:
        pen.shape(fin, (200, 150, 90))
        pen.hatch(fin, 0.0 if fin is tail else 1.2, 0.02)
    pen.shape(body, pick(pen.rng, ((150, 170, 180), (210, 160, 90), (120, 150, 120))))
    for x in np.arange(-0.2, 0.28, 0.05):
        for y in np.arange(-0.13, 0.13, 0.045):
            if abs(y) < 0.15 - 0.35 * max(0.0, x):
                pen.line(place_arc(float(x) + (0.025 if round(y / 0.045) % 2 else 0), float(y)), 0.6)
    pen.line(spline([(-0.27, -0.12), (-0.21, 0.0), (-0.27, 0.12)]), 1.0)
    pen.shape(ellipse(-0.34, -0.03, 0.03, 0.03))
    pen.blot(ellipse(-0.34, -0.03, 0.015, 0.015))
    pen.line(np.array([[-0.45, 0.02], [-0.38, 0.04]]))


def place_arc(x: float, y: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """One scale: half a small circle."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 7)
    return np.column_stack([x + 0.022 * np.cos(t), y + 0.022 * np.sin(t)])


def snail(pen: Pen) -> None:
    """A coiled shell."""
    t = np.linspace(0, 6.5 * np.pi, 140)
    radius = 0.4 * np.exp(-0.16 * t)
    outer = np.column_stack([radius * np.cos(t), radius * np.sin(t)])
    pen.shape(outer[:44], pick(pen.rng, ((200, 160, 110), (170, 130, 90))))
    pen.line(outer, 1.3)
    for at in range(0, 90, 3):
        inner = outer[min(at + 43, len(outer) - 1)]
        end = outer[at] + (inner - outer[at]) * float(pen.rng.uniform(0.45, 0.95))
        bend = (outer[at] + end) / 2 + 0.03 * np.array([np.sin(t[at]), -np.cos(t[at])])
        pen.line(spline([tuple(outer[at]), tuple(bend), tuple(end)], 5), 0.6)
    lip = ellipse(0.3, 0.1, 0.1, 0.2, 0.3)
    pen.shape(lip, (235, 215, 190))
    pen.hatch(lip, 0.2, 0.022, 0.0, 0.55)


def mushroom(pen: Pen) -> None:
    """Cap, gills, stem with a ring."""
    stem = spline([(-0.07, -0.05), (-0.06, 0.2), (-0.1, 0.45), (0.1, 0.45), (0.06, 0.2), (0.07, -0.05)])
    pen.shape(stem, (225, 210, 185))
    pen.hatch(stem, 0.0, 0.02, 0.62)
    gills = ellipse(0, -0.05, 0.36, 0.09)
    pen.shape(gills, (220, 190, 160))
    for t in np.linspace(0.08, np.pi - 0.08, 26):
        pen.line(np.array([[0.04 * np.cos(t), -0.03], [0.36 * np.cos(t), -0.05 + 0.09 * np.sin(t)]]), 0.5)
    cap = np.vstack([spline([(-0.37, -0.05), (-0.27, -0.3), (0, -0.4), (0.27, -0.3), (0.37, -0.05)]), [[0.0, -0.1]]])
    pen.shape(cap, pick(pen.rng, ((190, 80, 50), (170, 120, 70), (200, 170, 110))))
    pen.hatch(cap, 0.1, 0.02, 0.7)
    pen.shape(ellipse(0, 0.1, 0.1, 0.025), (225, 210, 185))
    pen.stipple(cap, 0.05)


MOTIFS: Final[tuple[Callable[[Pen], None], ...]] = (
    leaf_study, twig, flower, beetle, butterfly, fish, snail, mushroom,
)  # fmt: skip
