"""Outlines as point arrays (N, 2): x to the right, y down. Unit shapes start at (0, 0) and end at (1, 0)."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
LeafKind = Literal["ovate", "lance", "round", "heart", "lobed"]
LEAF_KINDS: Final[tuple[LeafKind, ...]] = ("ovate", "lance", "round", "heart", "lobed")

_LEAF_WIDTH: Final[dict[LeafKind, float]] = {"ovate": 0.28, "lance": 0.12, "round": 0.42, "heart": 0.4, "lobed": 0.36}


def spline(knots: Sequence[tuple[float, float]] | Points, steps: int = 12) -> Points:
    """A smooth curve through every knot (Catmull-Rom)."""
    points = np.asarray(knots, np.float64)
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, None, :] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    return np.vstack([curve.reshape(-1, 2), points[-1]])


def ellipse(x: float, y: float, radius_x: float, radius_y: float, angle: float = 0.0, count: int = 48) -> Points:
    """A closed outline round (x, y), turned by `angle` radians."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return place(np.column_stack([radius_x * np.cos(t), radius_y * np.sin(t)]), x, y, angle)


def place(points: Points, x: float, y: float, angle: float = 0.0, scale: float = 1.0) -> Points:
    """Scaled, turned by `angle` radians, then moved to (x, y)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turned: Points = scale * points @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)
    return turned


def leaf_half(kind: LeafKind, t: Points, teeth: int = 0) -> Points:
    """Half width of a unit leaf at distance `t` from its base, (N,)."""
    power = {"heart": 0.45, "lance": 0.8}.get(kind, 0.7)
    half = _LEAF_WIDTH[kind] * np.sin(np.pi * t**power)
    if kind == "lobed":
        half = half * (0.62 + 0.38 * np.cos(2 * np.pi * 3.5 * t + 0.6))
    if teeth:
        half = half * (0.9 + 0.1 * ((t * teeth) % 1.0))
    result: Points = half
    return result


def leaf(kind: LeafKind, teeth: int = 0) -> Points:
    """A closed unit leaf along the x axis."""
    t = np.linspace(0, 1, 26 if not teeth else 8 * teeth)
    half = leaf_half(kind, t, teeth)
    return np.vstack([np.column_stack([t, -half]), np.column_stack([t[::-1], half[::-1]])])


def veins(kind: LeafKind, count: int) -> list[Points]:
    """The side veins of a unit leaf, as short lines from the midrib outwards."""
    lines = []
    for t in np.linspace(0.12, 0.8, count):
        end = min(float(t) + 0.14, 0.97)
        reach = 0.85 * float(leaf_half(kind, np.array([end]))[0])
        lines += [np.array([[t, 0.0], [end, side * reach]]) for side in (-1, 1)]
    return lines


def petal(width: float, notch: float = 0.0) -> Points:
    """A closed unit petal, widest near its tip; `notch` dents the tip."""
    t = np.linspace(0, 1, 24)
    half = width * np.sin(np.pi * t**1.6) ** 0.8
    x = t - notch * np.clip(t - 0.85, 0, 1) * 4
    return np.vstack([np.column_stack([x, -half]), np.column_stack([x[::-1], half[::-1]])])


def wander(rng: np.random.Generator, x: float, y: float, angle: float, length: float, bend: float = 0.25) -> Points:
    """A stem: a smooth line from (x, y) towards `angle` that bends a little on its way."""
    knots = [(x, y)]
    for _ in range(4):
        angle += rng.normal(0, bend)
        x += length / 4 * np.cos(angle)
        y += length / 4 * np.sin(angle)
        knots.append((float(x), float(y)))
    return spline(knots)


def spot(line: Points, at: int) -> tuple[float, float]:
    """The line's point number `at`."""
    x, y = line[at]
    return float(x), float(y)


def heading(line: Points, at: int) -> float:
    """Direction in radians of `line` at its point number `at`."""
    before, after = line[max(at - 1, 0)], line[min(at + 1, len(line) - 1)]
    return float(np.arctan2(after[1] - before[1], after[0] - before[0]))
