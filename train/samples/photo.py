"""Photo-like scenes: an organism in focus and in the light before a blurred meadow, forest, sky, water or soil."""

from typing import Final

import numpy as np
from PIL import Image, ImageDraw
from PIL.ImageFilter import GaussianBlur

from train.samples.canvas import Color, Rng, clouds, mask, mix, pick, ribbon, vary, wander
from train.samples.organisms import ORGANISMS, moved

GROUNDS: Final[tuple[tuple[Color, Color, Color, int, float], ...]] = (
    ((185, 205, 150), (55, 90, 35), (40, 75, 30), 120, 0.02), ((60, 80, 50), (25, 32, 20), (120, 150, 75), 9, 0.07),
    ((90, 140, 210), (200, 220, 240), (245, 245, 248), 0, 0), ((130, 160, 195), (60, 95, 50), (195, 190, 170), 0, 0),
    ((130, 160, 175), (40, 70, 85), (150, 185, 200), 0, 0), ((150, 125, 95), (80, 62, 45), (55, 45, 30), 25, 0.015),
)  # fmt: skip
"""Colours above, below and of the blots; how many stems there are, and how thick, as a share of the shorter side."""


def draw(rng: Rng, width: int, height: int) -> Image.Image:
    """One photo: subject and shadow on the background, then vignette, colour cast, contrast and sensor noise."""
    side, sun = min(width, height), np.array([rng.uniform(-0.8, 0.8), -0.7])
    picture = _background(rng, width // 2, height // 2).resize((width, height))
    subject, shape = Image.new("RGB", picture.size), Image.new("L", picture.size)
    pen, outlines, organism = ImageDraw.Draw(subject), ImageDraw.Draw(shape), pick(rng, ORGANISMS)(rng)
    centre = width * rng.uniform(0.38, 0.62), height * rng.uniform(0.42, 0.58)
    for outline, color in moved(organism, centre, rng.normal(0, 0.15), side * rng.uniform(0.5, 0.95)):
        outlines.polygon(outline.ravel().tolist(), 255)
        dark, bright = mix(color, (10, 12, 15), 0.45), mix(color, (255, 255, 245), 0.3)
        for step in np.linspace(0, 1, 6).tolist():  # nested outlines, brighter towards the sun: a rounded body
            ring = outline + step * (0.8 * (outline.mean(axis=0) - outline) + sun * np.ptp(outline, axis=0).min() / 4)
            pen.polygon(ring.ravel().tolist(), mix(dark, bright, step))
    shadow = shape.reduce(4).filter(GaussianBlur(side / 150)).resize(shape.size).point(lambda v: v * 0.4)
    picture.paste((15, 18, 12), tuple((-sun * side / 30).astype(int).tolist()), shadow)
    picture.paste(subject.filter(GaussianBlur(side / 350)), (0, 0), shape.filter(GaussianBlur(0.7)))
    vignette = np.asarray(Image.radial_gradient("L").resize(picture.size), np.float32) * rng.uniform(0, 0.4) / 255
    light = 1 - vignette + np.float32(0.06) * clouds(rng, width, height, 25, 3)
    cast, brightness = rng.normal(rng.uniform(0.85, 1.2), 0.05, 3).astype(np.float32), np.float32(rng.normal(0, 10))
    pixels = np.asarray(picture) * light[..., None] * cast + brightness
    pixels += np.float32(rng.uniform(1, 6)) * rng.standard_normal(pixels.shape, np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _background(rng: Rng, width: int, height: int) -> Image.Image:
    """A gradient with blots, stems and discs of light, out of focus."""
    top, bottom, blots, stems, thickness = pick(rng, GROUNDS)
    upper, lower = (Image.new("RGB", (width, height), vary(rng, color, 12)) for color in (top, bottom))
    picture = Image.composite(lower, upper, Image.linear_gradient("L").resize((width, height)))
    picture.paste(blots, (0, 0), mask(0.4 + 0.3 * clouds(rng, width, height, rng.uniform(3, 12))))
    pen, side = ImageDraw.Draw(picture, "RGBA"), min(width, height)
    for _ in range(stems):
        stem = wander(rng, (rng.uniform(0, width), height * rng.uniform(0.6, 1.2)), -np.pi / 2, height * 0.9, 0.3)
        color = vary(rng, mix(blots, pick(rng, (top, bottom)), 0.5), 22)
        pen.polygon(ribbon(stem, thickness * side, thickness * side / 3).ravel().tolist(), color)
    for _ in range(int(rng.integers(0, 26))):
        glow = (*vary(rng, mix(top, (255, 250, 210), 0.6), 15), int(rng.integers(50, 150)))
        pen.circle((rng.uniform(0, width), rng.uniform(0, height)), side * rng.uniform(0.02, 0.08), glow)
    return picture.filter(GaussianBlur(side * rng.uniform(0.008, 0.04)))
