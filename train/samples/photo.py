"""Photo-like scenes: an organism in focus before a blurred meadow, forest, sky, water or ground; or a landscape."""

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image

from train.samples.brush import Color, Rng, chance, clouds, mix, pick, vary
from train.samples.light import Scene
from train.samples.shapes import ellipse
from train.samples.subjects import FOLIAGE, SUBJECTS, mushroom, ribbon

SKIES: Final[tuple[tuple[Color, Color], ...]] = (
    ((90, 140, 210), (200, 220, 240)), ((150, 165, 180), (215, 220, 225)), ((70, 100, 160), (245, 190, 140)),
)  # fmt: skip


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One photo."""
    angle = float(rng.uniform(-2.6, -0.5))
    scene = Scene(rng, np.zeros((height, width, 3), np.float32), (float(np.cos(angle)), float(np.sin(angle))))
    if chance(rng, 0.14):
        _landscape(scene)
        return scene.develop()
    subject = pick(rng, SUBJECTS)
    ground = _forest_floor if subject is mushroom else pick(rng, GROUNDS)
    ground(scene)
    scene.blur(scene.side * float(rng.uniform(0.012, 0.04)))
    x = width * float(rng.uniform(0.4, 0.6))
    y = height * float(rng.uniform(0.38, 0.56))
    subject(scene, x, y, scene.side * float(rng.uniform(0.45, 0.85)))
    if subject is mushroom:
        scene.blades(60, (90, 110, 50), 0.12 * height, scene.side / 130, (0.85, 1.1))
    return scene.develop()


def _gradient(scene: Scene, top: Color, bottom: Color) -> None:
    share = np.linspace(0, 1, scene.size[1], dtype=np.float32)[:, None, None]
    scene.pixels[:] = np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share


def _mottle(scene: Scene, cells: float, strength: float, color: Color) -> None:
    """Blots of another colour."""
    field = clouds(scene.rng, *scene.size, cells, 4, 0.6)
    scene.blend(np.clip(0.5 + 0.35 * field, 0, 1) * np.float32(strength), color)


def _meadow(scene: Scene) -> None:
    green = vary(scene.rng, pick(scene.rng, FOLIAGE), 18)
    _gradient(scene, mix(green, (210, 225, 180), 0.35), mix(green, (30, 50, 20), 0.4))
    _mottle(scene, 5, 0.5, mix(green, (20, 40, 15), 0.5))
    scene.blades(220, mix(green, (170, 190, 90), 0.3), 0.5 * scene.size[1], scene.side / 50, (0.5, 1.2))
    scene.bokeh(int(scene.rng.integers(4, 26)), ((230, 240, 190), (250, 240, 140), mix(green, (255, 255, 255), 0.4)))


def _forest(scene: Scene) -> None:
    _gradient(scene, (60, 80, 50), (25, 32, 20))
    _mottle(scene, 7, 0.8, (110, 140, 70))
    for _ in range(int(scene.rng.integers(4, 10))):
        x = float(scene.rng.uniform(0, scene.size[0]))
        trunk = np.array([[x, -5.0], [x + float(scene.rng.normal(0, 20)), scene.size[1] + 5.0]])
        scene.solid(ribbon(trunk, scene.side / 18, scene.side / 14), (70, 58, 45), texture=14)
    scene.bokeh(int(scene.rng.integers(10, 40)), ((200, 220, 140), (150, 190, 110), (235, 235, 200)))


def _forest_floor(scene: Scene) -> None:
    """Leaf litter and moss."""
    _gradient(scene, (60, 70, 40), (75, 58, 38))
    _mottle(scene, 16, 0.8, (120, 88, 50))
    _mottle(scene, 6, 0.5, (70, 100, 40))
    for _ in range(70):
        x, y = scene.rng.uniform(0, 1, 2) * scene.size
        size = scene.side * float(scene.rng.uniform(0.02, 0.07))
        litter = ellipse(float(x), float(y), size, size / 3, float(scene.rng.uniform(0, 6)), 12)
        scene.solid(litter, vary(scene.rng, (130, 92, 52), 22), relief=0.6, texture=8)


def _sky(scene: Scene) -> None:
    _gradient(scene, *pick(scene.rng, SKIES))
    _mottle(scene, 3, 0.6, (245, 245, 248))


def _water(scene: Scene) -> None:
    _gradient(scene, (130, 160, 175), (40, 70, 85))
    waves = clouds(scene.rng, scene.size[0] // 8 + 2, scene.size[1], 40, 3)
    wide = np.asarray(Image.fromarray(waves).resize(scene.size, Image.Resampling.BICUBIC))
    scene.pixels += 14 * wide[..., None]


def _soil(scene: Scene) -> None:
    earth = vary(scene.rng, pick(scene.rng, ((130, 100, 70), (170, 150, 120), (95, 85, 75))), 10)
    _gradient(scene, earth, mix(earth, (30, 20, 10), 0.3))
    _mottle(scene, 30, 0.7, mix(earth, (30, 25, 20), 0.7))
    _mottle(scene, 12, 0.5, mix(earth, (230, 220, 200), 0.5))


def _landscape(scene: Scene) -> None:
    """Sky, ridges paler with distance, a meadow, some trees."""
    rng = scene.rng
    width, height = scene.size
    _sky(scene)
    haze = (185, 200, 215)
    horizon = float(rng.uniform(0.35, 0.55))
    for number, distance in enumerate((0.75, 0.5, 0.25)):
        ridge = clouds(rng, width, 2, 3 + 3 * number, 5, 0.5)[0] * 0.05 * height
        top = height * (horizon + 0.07 * number) + ridge
        inside = np.clip(np.arange(height, dtype=np.float32)[:, None] - top[None, :], 0, 1)
        scene.blend(inside.astype(np.float32), mix(pick(rng, FOLIAGE), haze, distance))
    grain = 16 * clouds(rng, width, height, 60, 3, 0.8)
    grain[: round((horizon + 0.1) * height)] *= 0.3
    scene.pixels += grain[..., None]
    for _ in range(int(rng.integers(1, 7))):
        _tree(scene, float(rng.uniform(0, width)), height * float(rng.uniform(horizon + 0.15, 0.85)))
    scene.blades(350, vary(rng, pick(rng, FOLIAGE), 12), 0.12 * height, scene.side / 150, (0.85, 1.15))


def _tree(scene: Scene, x: float, y: float) -> None:
    size = (y / scene.size[1]) ** 2 * scene.size[1] * 0.7
    trunk = np.array([[x, y], [x + 0.03 * size, y - 0.5 * size]])
    scene.solid(ribbon(trunk, size / 12, size / 18), (80, 62, 48), texture=12, cells=12)
    green = vary(scene.rng, pick(scene.rng, FOLIAGE), 12)
    for _ in range(26):
        at_x, at_y = x + scene.rng.normal(0, 0.2 * size), y - 0.62 * size + scene.rng.normal(0, 0.14 * size)
        radius = size * float(scene.rng.uniform(0.06, 0.13))
        crown = ellipse(float(at_x), float(at_y), radius, radius * 0.85, count=16)
        scene.solid(crown, vary(scene.rng, green, 10), texture=20, cells=9)


GROUNDS: Final[tuple[Callable[[Scene], None], ...]] = (_meadow, _meadow, _forest, _sky, _water, _soil)
