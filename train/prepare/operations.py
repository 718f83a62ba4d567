"""Offline augmentation: changes to a picture that leave what it shows, as two public toolkits make them, by a seed.

`decathlon`: the seven operations of decathloncanada/image-classification (there made with Augmentor). `phylogeny`: what
EOL did with imgaug to its phylogeny images. Every operation takes and gives an RGB picture of the same size.
"""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
from PIL import Image, ImageFilter

AugmentSet = Literal["decathlon", "phylogeny"]
Operation = Callable[[Image.Image, np.random.Generator], Image.Image]

GRID: Final = 4
GRID_SHIFT_PX: Final = 8
CROP_AREA: Final = 0.75
ERASED_AREA: Final = 0.25
TILT_DEGREES: Final = 10.0

LEAST_PX: Final = 8
_EDGE_PX: Final = 1.5
"""How far bicubic interpolation reaches beyond the edge."""

CROP_PX: Final = 16
"""At most, from each side; at least 1."""
ROTATION_DEGREES: Final = 25.0
BLUR_SIGMA: Final = 3.0
"""At most. EOL's notes name no number; this is that of imgaug's own example."""
COLOUR_SHIFT: Final = 50
"""Largest change of hue and of saturation, on the scale of 0 to 255."""

_WHITE: Final = (255, 255, 255)
_BILINEAR: Final = Image.Resampling.BILINEAR
_BICUBIC: Final = Image.Resampling.BICUBIC


def augment(picture: Image.Image, which: AugmentSet, rng: np.random.Generator) -> Image.Image:
    """A changed copy of an RGB picture, of the same size; one of a few pixels is only copied."""
    if min(picture.size) < LEAST_PX:
        return picture.copy()
    for chance, operation in OFFLINE_SETS[which]:
        if rng.random() < chance:
            picture = operation(picture, rng)
    return picture


def distort(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Elastic: the inner corners of a grid of 4 by 4 cells moved by up to 8 pixels, an eighth of a cell at most."""
    width, height = picture.size
    across = np.linspace(0, width, GRID + 1)
    down = np.linspace(0, height, GRID + 1)
    corners = np.stack(np.meshgrid(across, down), axis=-1)
    most = min(GRID_SHIFT_PX, min(width, height) / GRID / 2)
    corners[1:-1, 1:-1] += rng.uniform(-most, most, (GRID - 1, GRID - 1, 2))
    mesh = []
    for row in range(GRID):
        for column in range(GRID):
            box = (round(across[column]), round(down[row]), round(across[column + 1]), round(down[row + 1]))
            cell = [
                corners[row, column],
                corners[row + 1, column],
                corners[row + 1, column + 1],
                corners[row, column + 1],
            ]
            mesh.append((box, tuple(float(value) for corner in cell for value in corner)))
    return picture.transform(picture.size, Image.Transform.MESH, mesh, _BICUBIC)


def flip_across(picture: Image.Image, _rng: np.random.Generator) -> Image.Image:
    """Left becomes right."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def flip_down(picture: Image.Image, _rng: np.random.Generator) -> Image.Image:
    """Top becomes bottom."""
    return picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def crop_and_resize(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A part of three quarters of the area, back to the size: two of the seven, one without the other has no effect."""
    width, height = (max(1, round(side * CROP_AREA**0.5)) for side in picture.size)
    left, upper = rng.integers(picture.width - width + 1), rng.integers(picture.height - height + 1)
    return picture.resize(picture.size, _BICUBIC, (left, upper, left + width, upper + height))


def erase(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Noise over a quarter of the area."""
    width, height = (max(1, round(side * ERASED_AREA**0.5)) for side in picture.size)
    left, upper = rng.integers(picture.width - width + 1), rng.integers(picture.height - height + 1)
    copy = picture.copy()
    copy.paste(Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)), (int(left), int(upper)))
    return copy


def tilt(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Up to 10 degrees, enlarged until no corner is empty."""
    angle = rng.uniform(-TILT_DEGREES, TILT_DEGREES)
    turned = picture.rotate(angle, _BICUBIC)
    width, height = picture.size
    sine, cosine = abs(np.sin(np.radians(angle))), np.cos(np.radians(angle))
    scale = 1 / max(cosine + sine * height / width, cosine + sine * width / height)
    left, upper = width * (1 - scale) / 2 + _EDGE_PX, height * (1 - scale) / 2 + _EDGE_PX
    return turned.resize(picture.size, _BICUBIC, (left, upper, width - left, height - upper))


def crop_edges(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """1 to 16 pixels off each side, at most a quarter of it, back to the size."""
    most = max(1, min(CROP_PX, min(picture.size) // 4))
    left, upper, right, lower = (int(number) for number in rng.integers(1, most + 1, 4))
    width, height = picture.size
    return picture.resize(
        picture.size, _BICUBIC, (left, upper, max(left + 1, width - right), max(upper + 1, height - lower))
    )


def rotate(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Up to 25 degrees on white, which diagrams are drawn on."""
    return picture.rotate(rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES), _BILINEAR, fillcolor=_WHITE)


def blur(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Gaussian, sigma up to 3 pixels."""
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, BLUR_SIGMA)))


def shift_colours(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Hue and saturation each moved by up to 50 of 255; hue goes round, saturation stays within its ends.

    Greys have no hue to show, and the paler a colour, the less its saturation moves: white paper stays white. EOL's
    imgaug adds the same everywhere, which tints whites, and paints patches where a scanned sheet is not quite grey.
    """
    hue, saturation = (int(number) for number in rng.integers(-COLOUR_SHIFT, COLOUR_SHIFT + 1, 2))
    values = np.asarray(picture.convert("HSV")).astype(np.int16)
    values[..., 0] = (values[..., 0] + hue) % 256
    moved = saturation * np.minimum(values[..., 1] / COLOUR_SHIFT, 1)
    values[..., 1] = np.clip(values[..., 1] + moved, 0, 255)
    return Image.fromarray(values.astype(np.uint8), mode="HSV").convert("RGB")


OFFLINE_SETS: Final[dict[AugmentSet, tuple[tuple[float, Operation], ...]]] = {
    "decathlon": (
        (1.0, distort),
        (0.5, flip_across),
        (0.5, flip_down),
        (0.5, crop_and_resize),
        (0.5, erase),
        (0.5, tilt),
    ),
    "phylogeny": ((1.0, crop_edges), (1.0, rotate), (1.0, blur), (1.0, shift_colours)),
}
"""Operations in order, each with the chance that it is applied."""
