"""Organisms as coloured outlines, back to front, from about -0.5 to 0.5: what sheets, illustrations and photos show."""

from collections.abc import Callable
from typing import Final

import numpy as np

from train.samples.canvas import HUES, INK, Color, Points, Rng, Spot, mix, pick, place, ribbon, smooth, vary, wander

Part = tuple[Points, Color]

FOLIAGE: Final[tuple[Color, ...]] = ((80, 130, 50), (60, 110, 60), (110, 150, 60), (50, 95, 45))
UP: Final = -np.pi / 2
SIDES: Final = np.array([[1, 1], [-1, 1]])


def moved(parts: list[Part], at: Spot, angle: float = 0, scale: float = 1) -> list[Part]:
    """The parts scaled, turned by `angle` radians and moved to a spot."""
    return [(place(outline, at, angle, scale), color) for outline, color in parts]


def plant(rng: Rng, green: Color, bloom: Color, *, shoots: bool = True) -> list[Part]:
    """A stem from (0, 0.5) upwards with leaves, side shoots and flowers."""
    stem, blade, size = wander(rng, (0, 0.5), UP, 1, 0.2), _leaf(rng, green), rng.uniform(0.14, 0.32)
    parts: list[Part] = [(ribbon(stem, 0.02, 0.007), mix(green, (100, 75, 45), 0.5))]
    sides = pick(rng, ((1,), (1,), (-1, 1)))
    for number, at in enumerate(range(5, 38, int(rng.integers(2, 6)))):
        for side in sides:
            angle = side * (-1) ** number * rng.uniform(0.5, 1.2)
            length = size * rng.uniform(0.8, 1.1) * (1 - at / 70)
            if shoots and rng.random() < 0.2:
                shoot = moved(plant(rng, green, bloom, shoots=False), (0, -0.5))
                parts += moved(shoot, stem[at], angle, 1.8 * length)
            else:
                blade[0] = blade[0][0], vary(rng, green, 9)
                parts += moved(blade, stem[at], UP + angle, length)
    for at in rng.integers(33, 40, int(rng.integers(0, 6))):
        parts += moved(_bloom(rng, bloom), stem[at] + rng.normal(0, 0.04, 2), 0, size * rng.uniform(0.5, 0.8))
    return parts


def _flower(rng: Rng) -> list[Part]:
    """One large bloom on its stem with two leaves."""
    green, stem = vary(rng, pick(rng, FOLIAGE)), wander(rng, (0, 1.2), UP, 1.35, 0.12)
    leaves = [moved(_leaf(rng, green), stem[int(rng.integers(14, 26))], UP + side, 0.42) for side in (-1.1, 1.1)]
    bloom = moved(_bloom(rng, vary(rng, pick(rng, HUES))), stem[-1], 0, 0.85)
    return [(ribbon(stem, 0.05, 0.04), green), *leaves[0], *leaves[1], *bloom]


def _leaf(rng: Rng, color: Color) -> list[Part]:
    """A leaf from (0, 0) to (1, 0) with midrib and veins: narrow, round, heart-shaped or lobed."""
    t = np.linspace(0, 1, 33)
    half = rng.uniform(0.1, 0.4) * np.sin(np.pi * t ** rng.uniform(0.45, 0.9))
    if rng.random() < 0.3:
        half *= 0.7 + 0.3 * np.cos(2 * np.pi * t * rng.uniform(3, 5))
    tips = [(at, side * 0.8 * half[at + 4]) for at in range(4, 28, 5) for side in (-1, 1)]
    veins = [ribbon([(t[at], 0), (t[at + 4], reach)], 0.012, 0.004) for at, reach in tips]
    veins.append(ribbon([(-0.05, 0), (0.97, 0)], 0.018, 0.004))
    return [(_spindle(half), color), *((vein, mix(color, (210, 215, 150), 0.35)) for vein in veins)]


def _spindle(half: Points) -> Points:
    """A closed outline from (0, 0) to (1, 0) of that half width, (N,)."""
    t = np.linspace(0, 1, len(half))
    return np.vstack([np.column_stack([t, -half]), np.column_stack([t, half])[::-1]])


def _bloom(rng: Rng, color: Color) -> list[Part]:
    """Petals round a disc, seen more or less from the side."""
    count, squash = pick(rng, (5, 5, 6, 8, 13)), np.array([1, rng.uniform(0.6, 1)])
    petal = _spindle(min(0.34, 1.9 / count) * np.sin(np.pi * np.linspace(0, 1, 17) ** 1.6))
    turns = rng.uniform(0, 6) + np.arange(count) * 2 * np.pi / count
    petals = [(place(petal, (0, 0), turn, 0.5) * squash, vary(rng, color, 7)) for turn in turns]
    return [*petals, (_disc((0, 0), 0.12) * squash, pick(rng, ((200, 150, 40), (110, 70, 40), (220, 200, 90))))]


def _disc(at: Spot, radius: float) -> Points:
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.asarray(at) + radius * np.column_stack([np.cos(turn), np.sin(turn)])


def _bird(rng: Rng) -> list[Part]:
    """A bird on a branch, from the side."""
    back, bark = vary(rng, pick(rng, HUES), 15), (95, 75, 60)
    belly, side = mix(back, pick(rng, ((240, 225, 200), (235, 215, 110))), 0.7), SIDES[int(rng.integers(2))]
    parts = [
        (ribbon(wander(rng, (-1.2, 0.45), rng.normal(0, 0.06), 2.4, 0.06), 0.1, 0.06), bark),
        *((ribbon([(x, 0.28), (x + 0.02, 0.42)], 0.03, 0.03), bark) for x in (-0.02, 0.09)),
        (smooth((-0.2, 0.06), (-0.68, 0.42), (-0.56, 0.56), (-0.15, 0.3)), mix(back, INK, 0.4)),
        (smooth((-0.4, 0.2), (-0.2, -0.18), (0.12, -0.32), (0.4, -0.04), (0.24, 0.34), (-0.12, 0.42)), belly),
        (np.array([(0.36, -0.36), (0.58, -0.26), (0.36, -0.2)]), (70, 60, 50)),
        (smooth((-0.04, -0.12), (0.06, -0.5), (0.36, -0.54), (0.48, -0.26), (0.3, -0.04)), back),
        (smooth((-0.56, 0.36), (-0.32, -0.04), (0.02, -0.22), (0.18, 0.02), (0.02, 0.26)), mix(back, INK, 0.25)),
        (_disc((0.28, -0.33), 0.035), INK),
        (_disc((0.27, -0.34), 0.011), (250, 250, 250)),
    ]
    return [(outline * side, color) for outline, color in parts]


def _butterfly(rng: Rng) -> list[Part]:
    """A butterfly with its wings spread: dark rims and veins, eye spots."""
    color = vary(rng, pick(rng, HUES), 12)
    half, rim = [], mix(color, INK, 0.8)
    for wing in (smooth((0, 0), (0.34, -0.04), (0.46, 0.26), (0.24, 0.52), (0.02, 0.2)),
                 smooth((0, -0.1), (0.24, -0.42), (0.62, -0.48), (0.5, -0.02), (0, 0.1))):  # fmt: skip
        middle = wing.mean(axis=0)
        half += [(wing, rim), (place(wing - middle, middle, 0, 0.8), color), (_disc(1.3 * middle, 0.05), rim)]
        half += [(ribbon([(0, 0), tip], 0.012, 0.006), rim) for tip in wing[8:28:5] * 0.95]
    half += [(ribbon([(0.01, -0.18), (0.08, -0.34), (0.13, -0.44)], 0.014, 0.01), INK)]
    parts = [(outline * side, tone) for outline, tone in half for side in SIDES]
    return [*parts, (_disc((0, 0), 0.2) * (0.18, 1), INK)]


ORGANISMS: Final[tuple[Callable[[Rng], list[Part]], ...]] = (
    lambda rng: plant(rng, pick(rng, FOLIAGE), pick(rng, HUES)), _flower, _bird, _butterfly,
)  # fmt: skip
