"""Subjects of the photo-like images, in focus, at (x, y) and about `size` pixels large."""

from collections.abc import Callable
from typing import Final

import numpy as np

from train.samples.brush import Color, chance, mix, pick, vary
from train.samples.light import Scene, ring, squashed
from train.samples.shapes import LEAF_KINDS, Points, ellipse, leaf, petal, place, spline, veins, wander

PETALS: Final[tuple[Color, ...]] = (
    (235, 205, 60), (240, 240, 235), (205, 70, 120), (140, 90, 190), (225, 80, 50), (245, 150, 60), (110, 130, 220),
)  # fmt: skip
FOLIAGE: Final[tuple[Color, ...]] = ((80, 130, 50), (60, 110, 60), (110, 150, 60), (50, 95, 45))
FEATHERS: Final[tuple[Color, ...]] = ((150, 110, 80), (90, 110, 160), (190, 90, 60), (120, 120, 115), (200, 170, 70))


def ribbon(line: Points, start: float, end: float) -> Points:
    """The outline of a stem or branch along a line."""
    step = np.gradient(line, axis=0)
    normal = np.column_stack([-step[:, 1], step[:, 0]]) / (np.linalg.norm(step, axis=1, keepdims=True) + 1e-9)
    half = np.linspace(start / 2, end / 2, len(line))[:, None]
    return np.vstack([line + normal * half, (line - normal * half)[::-1]])


def green_leaf(scene: Scene, x: float, y: float, angle: float, length: float) -> None:
    """A fresh leaf with its veins."""
    kind, color = pick(scene.rng, LEAF_KINDS), vary(scene.rng, pick(scene.rng, FOLIAGE), 12)
    outline = place(leaf(kind), x, y, angle, length)
    scene.shadow(outline, 0.25)
    scene.solid(outline, color, relief=0.5, texture=8)
    pale = mix(color, (200, 220, 150), 0.4)
    lines = [np.array([[0.0, 0.0], [0.97, 0.0]]), *veins(kind, 6)]
    for number, line in enumerate(lines):
        width = length / (60 if number == 0 else 150)
        scene.solid(ribbon(place(line, x, y, angle, length), width, width / 2), pale, relief=0, texture=2)


def flower(scene: Scene, x: float, y: float, size: float) -> None:
    """One bloom on its stem."""
    rng = scene.rng
    color, squash = vary(rng, pick(rng, PETALS), 12), float(rng.uniform(0.6, 1))
    stem = wander(rng, x, y, np.pi / 2, 1.6 * size, 0.12)
    scene.solid(ribbon(stem, size / 16, size / 12), (90, 125, 60), texture=6)
    for side in (-1, 1):
        if chance(rng, 0.6):
            at = stem[int(rng.integers(14, len(stem) - 8))]
            green_leaf(scene, float(at[0]), float(at[1]), np.pi / 2 - side * float(rng.uniform(1, 2)), 0.5 * size)
    count = int(pick(rng, (5, 6, 8, 13, 21)))
    for layer, reach in enumerate((0.52, 0.42) if count > 6 else (0.5,)):
        for angle in ring(count, float(rng.uniform(0, 6)) + layer):
            length = size * reach * float(rng.uniform(0.9, 1.08))
            outline = place(petal(min(0.34, 1.9 / count)), x, y, angle, length)
            scene.solid(squashed(outline, x, y, squash), vary(rng, color, 6), relief=0.7, texture=6, cells=4)
    heart = pick(rng, ((200, 150, 40), (110, 70, 40), (220, 200, 90), (90, 110, 50)))
    scene.solid(squashed(ellipse(x, y, size / 8, size / 8), x, y, squash), heart, texture=26, cells=14)


def bird(scene: Scene, x: float, y: float, size: float) -> None:
    """A bird perched on a branch, seen from the side."""
    rng = scene.rng
    back = vary(rng, pick(rng, FEATHERS), 15)
    belly = mix(back, pick(rng, ((240, 225, 200), (220, 120, 60), (235, 215, 110))), 0.7)
    face = pick(rng, (-1.0, 1.0))

    def part(points: list[tuple[float, float]]) -> Points:
        return spline([(x + face * size * a, y + size * b) for a, b in points], 8)

    branch = wander(rng, 0, y + 0.36 * size, float(rng.normal(0, 0.06)), scene.size[0] * 1.1, 0.06)
    scene.solid(ribbon(branch, size / 9, size / 14), (95, 75, 60), texture=22, cells=40)
    scene.solid(
        part([(-0.3, 0.12), (-0.62, 0.42), (-0.54, 0.5), (-0.2, 0.28)]), mix(back, (30, 25, 20), 0.4), texture=14
    )
    scene.solid(
        part([(-0.36, 0.2), (-0.2, -0.12), (0.12, -0.26), (0.34, -0.02), (0.2, 0.3), (-0.1, 0.36), (-0.36, 0.2)]),
        belly,
        texture=12,
        cells=14,
    )
    scene.solid(
        part([(0.0, -0.16), (0.08, -0.4), (0.3, -0.46), (0.42, -0.28), (0.3, -0.1), (0.1, -0.08), (0.0, -0.16)]),
        back,
        texture=10,
        cells=12,
    )
    scene.solid(
        part([(-0.42, 0.3), (-0.3, 0.02), (-0.02, -0.16), (0.12, 0.0), (0.0, 0.18), (-0.42, 0.3)]),
        mix(back, (60, 50, 45), 0.3),
        texture=20,
        cells=16,
    )
    _bird_head(scene, x, y, face, size)
    for leg in (-0.02, 0.09):
        foot = np.array([(x + face * leg * size, y + 0.3 * size), (x + face * (leg + 0.02) * size, y + 0.4 * size)])
        scene.solid(ribbon(foot, size / 36, size / 36), (90, 70, 60), texture=2)


def _bird_head(scene: Scene, x: float, y: float, face: float, size: float) -> None:
    """Beak and eye."""
    beak = np.array([(0.4, -0.34), (0.56, -0.27), (0.4, -0.23)]) * (face * size, size) + (x, y)
    scene.solid(beak, (70, 60, 50), texture=4)
    eye_x, eye_y = x + face * 0.28 * size, y - 0.32 * size
    scene.solid(ellipse(eye_x, eye_y, 0.035 * size, 0.035 * size), (15, 12, 10), relief=0.3, texture=0)
    gleam = ellipse(eye_x - 0.01 * size, eye_y - 0.012 * size, 0.01 * size, 0.01 * size)
    scene.solid(gleam, (250, 250, 250), relief=0, texture=0)


def mushroom(scene: Scene, x: float, y: float, size: float) -> None:
    """A cap with flecks on a pale stem."""
    rng = scene.rng
    cap = vary(rng, pick(rng, ((200, 50, 35), (150, 95, 55), (215, 175, 120), (120, 85, 60), (225, 150, 50))), 12)
    profile = [(-0.09, 0.0), (-0.08, 0.3), (-0.14, 0.56), (0.14, 0.56), (0.08, 0.3), (0.09, 0.0)]
    foot = place(spline(profile), x, y, 0, size)
    scene.shadow(foot, 0.5)
    scene.solid(foot, (225, 215, 195), texture=10, cells=10)
    under = ellipse(x, y, 0.42 * size, 0.1 * size)
    scene.solid(under, (170, 150, 125), relief=0.3, texture=14, cells=30)
    dome = spline(
        [(-0.46, 0.03), (-0.36, -0.28), (0.0, -0.42), (0.36, -0.28), (0.46, 0.03), (0.0, 0.09), (-0.46, 0.03)]
    )
    scene.solid(place(dome, x, y, 0, size), cap, texture=9)
    if chance(rng, 0.6):
        for _ in range(int(rng.integers(8, 24))):
            angle, reach = float(rng.uniform(np.pi, 2 * np.pi)), float(rng.uniform(0.05, 0.9))
            at_x, at_y = x + 0.4 * size * reach * np.cos(angle), y + 0.34 * size * reach * np.sin(angle)
            fleck = size * float(rng.uniform(0.012, 0.035))
            scene.solid(ellipse(at_x, at_y, fleck, fleck * 0.8, count=10), (240, 230, 210), texture=4)


def beetle(scene: Scene, x: float, y: float, size: float) -> None:
    """A beetle on a leaf, from above, with shining elytra."""
    rng = scene.rng
    green_leaf(scene, x - 0.95 * size, y + 0.25 * size, -0.25, 2.1 * size)
    turn = float(rng.uniform(0, 2 * np.pi))
    shell = vary(rng, pick(rng, ((190, 40, 30), (40, 110, 80), (50, 60, 120), (130, 80, 30), (35, 35, 40))), 10)

    def part(points: Points) -> Points:
        return place(points, x, y, turn, 0.62 * size)

    for side in (-1, 1):
        for at, reach in ((-0.25, -0.3), (-0.05, 0.05), (0.1, 0.35)):
            leg = part(np.array([[at, side * 0.2], [at + reach * 0.6, side * 0.42], [at + reach, side * 0.58]]))
            scene.solid(ribbon(leg, size / 40, size / 60), (25, 20, 18), texture=2)
    body = part(ellipse(0.12, 0, 0.42, 0.29))
    scene.shadow(body, 0.6)
    scene.solid(part(ellipse(-0.44, 0, 0.1, 0.13)), (25, 22, 20), texture=6)
    scene.solid(body, shell, relief=1.3, texture=7, cells=20)
    scene.solid(part(ellipse(-0.3, 0, 0.12, 0.23)), mix(shell, (15, 15, 15), 0.6), relief=1.2, texture=6)
    scene.solid(
        ribbon(part(np.array([[-0.2, 0.0], [0.54, 0.0]])), size / 90, size / 90), (15, 12, 10), relief=0, texture=0
    )
    if chance(rng, 0.6):
        for spot_x, spot_y in ((0.0, 0.12), (0.22, 0.17), (0.36, 0.08), (0.14, 0.05)):
            for side in (-1, 1):
                scene.solid(
                    part(ellipse(spot_x, side * spot_y, 0.045, 0.045, count=14)), (15, 12, 12), relief=0.2, texture=2
                )
    gleam = part(ellipse(0.1, 0.0, 0.14, 0.04)) + np.array(scene.sun) * 0.1 * size
    scene.solid(gleam, mix(shell, (255, 255, 255), 0.7), relief=0, texture=0)


def butterfly(scene: Scene, x: float, y: float, size: float) -> None:
    """A butterfly with spread wings, on a flower head or leaf."""
    rng = scene.rng
    color, turn = vary(rng, pick(rng, PETALS), 12), float(rng.normal(0, 0.5))
    dark = mix(color, (25, 18, 15), 0.85)
    green_leaf(scene, x - 0.8 * size, y + 0.4 * size, float(rng.normal(-0.2, 0.3)), 1.7 * size)

    def part(points: Points) -> Points:
        return place(points, x, y, turn, size)

    for side in (-1, 1):
        hind = spline([(0, 0.02), (side * 0.3, 0.05), (side * 0.36, 0.25), (side * 0.2, 0.4), (side * 0.03, 0.15)])
        fore = spline(
            [(0, -0.08), (side * 0.25, -0.34), (side * 0.5, -0.36), (side * 0.42, -0.05), (side * 0.02, 0.06)]
        )
        for wing in (hind, fore):
            scene.shadow(part(wing), 0.35)
            scene.solid(part(wing), dark, relief=0.3, texture=8)
            centre = wing.mean(axis=0)
            scene.solid(part((wing - centre) * 0.78 + centre * 0.94), color, relief=0.4, texture=16, cells=8)
            for knot in wing[6:-6:7]:
                scene.solid(
                    ribbon(part(np.array([[0, 0.0], knot * 0.92])), size / 130, size / 160), dark, relief=0, texture=0
                )
        for at_x, at_y in ((0.36, -0.24), (0.24, 0.26)):
            scene.solid(part(ellipse(side * at_x, at_y, 0.04, 0.04, count=16)), dark, relief=0, texture=2)
    scene.solid(part(ellipse(0, 0.02, 0.03, 0.2)), (40, 30, 25), texture=10, cells=14)
    for side in (-1, 1):
        scene.solid(
            ribbon(part(spline([(0, -0.16), (side * 0.07, -0.32), (side * 0.13, -0.4)])), size / 90, size / 120),
            (30, 25, 20),
            texture=0,
        )


def shrub(scene: Scene, x: float, y: float, size: float) -> None:
    """A branch full of leaves, with fruit."""
    rng = scene.rng
    fruit = pick(rng, ((200, 35, 40), (60, 50, 110), (235, 150, 40), (150, 40, 80)))
    branch = wander(rng, x - size, y + 0.3 * size, -0.3, 2.2 * size, 0.15)
    scene.solid(ribbon(branch, size / 16, size / 40), (100, 80, 60), texture=14, cells=30)
    for at in range(4, len(branch), 4):
        for side in (-1, 1):
            foot_x, foot_y = branch[at].tolist()
            green_leaf(
                scene, foot_x, foot_y, -0.3 + side * float(rng.uniform(0.5, 1.4)), size * float(rng.uniform(0.3, 0.5))
            )
    for _ in range(int(rng.integers(3, 9))):
        at_x, at_y = branch[int(rng.integers(8, len(branch)))] + rng.normal(0, 0.12 * size, 2)
        berry = ellipse(float(at_x), float(at_y), 0.08 * size, 0.085 * size)
        scene.shadow(berry, 0.5)
        scene.solid(berry, vary(rng, fruit, 10), relief=1.2, texture=5)
        gleam = ellipse(
            at_x + 0.025 * size * scene.sun[0], at_y + 0.03 * size * scene.sun[1], 0.016 * size, 0.012 * size
        )
        scene.solid(gleam, (255, 250, 240), relief=0, texture=0)


SUBJECTS: Final[tuple[Callable[[Scene, float, float, float], None], ...]] = (
    flower, bird, mushroom, beetle, butterfly, shrub,
)  # fmt: skip
