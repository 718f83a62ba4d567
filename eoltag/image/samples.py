"""Samples of any depth and with any alpha as 8-bit RGB, strip by strip, so that memory stays small."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

STRIP_ROWS: Final = 256
"""What needs wide intermediate values is converted this many rows at a time: bounds memory, changes no pixel."""

_WHITE: Final = (255, 255, 255)
_TOPS: Final = (255, 4_095, 65_535)
"""What integers reach in pictures of 8, 12 and 16 bits; a picture has the fewest that hold its brightest sample."""

_EXTRA_SAMPLES: Final = 338
_PHOTOMETRIC: Final = 262
_SAMPLE_FORMAT: Final = 339
"""Tags of TIFF 6.0."""
_MIN_IS_WHITE: Final = 0
_UNSIGNED: Final = 1

Box = tuple[int, int, int, int]


def as_rgb(image: Image.Image) -> Image.Image:
    """A loaded image as RGB, on white where it is transparent."""
    if image.mode.startswith(("I", "F")):
        image = _deep_to_grey(image)
    if image.has_transparency_data and not _is_alpha_unmeant(image):
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _is_alpha_unmeant(image: Image.Image) -> bool:
    """Whether a fourth sample is no alpha: in a BMP where it is 0 throughout, in a TIFF that does not call it one.

    Windows' own programs leave it at 0, and show the picture.
    """
    if image.mode != "RGBA":
        return False
    if image.format == "TIFF":
        return _EXTRA_SAMPLES not in _tags(image)
    return image.format == "BMP" and image.getchannel("A").getextrema() == (0, 0)


def _on_white(image: Image.Image) -> Image.Image:
    """Strip by strip: RGBA copies of a whole 20-megapixel picture would take 160 MB more."""
    sheet = Image.new("RGB", image.size, _WHITE)
    for box in _strips(image):
        layer = image.crop(box).convert("RGBA")
        sheet.paste(layer, box, mask=layer.getchannel("A"))
    return sheet


def _deep_to_grey(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float files to 8 bits; Pillow's own conversion clips everything above 255 to white."""
    extremes = [
        (float(values.min()), float(values.max())) for box in _strips(image) if (values := _of(image, box)).size
    ]
    low, high = _range(image, min(one for one, _ in extremes), max(one for _, one in extremes))
    scale = 255 / (high - low)
    is_negative = _tags(image).get(_PHOTOMETRIC) == _MIN_IS_WHITE
    grey = Image.new("L", image.size)
    for box in _strips(image):
        shades = np.clip((_of(image, box) - low) * scale, 0, 255).astype(np.uint8)
        grey.paste(Image.fromarray(255 - shades if is_negative else shades), box)
    return grey


def _range(image: Image.Image, low: float, high: float) -> tuple[float, float]:
    """What black and white are. low, high: the darkest and the brightest sample.

    Floats up to 1 are shares of white, others 8-bit values, or 16-bit ones above 255. Above 16 bits nothing says what
    white is: the picture's own range is taken.
    """
    if high > _TOPS[-1]:
        return min(low, 0.0) if image.mode == "F" else low, high
    if image.mode == "F":
        return 0.0, 1.0 if high <= 1 else _TOPS[0] if high <= _TOPS[0] else _TOPS[-1]
    return 0.0, next(top for top in _TOPS if high <= top)


def _of(image: Image.Image, box: Box) -> NDArray[np.float32]:
    """The samples of a strip; what is no finite number counts as 0."""
    values = np.asarray(image.crop(box))
    if values.dtype == np.int32 and _tags(image).get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED:
        values = values.view(np.uint32)  # Pillow knows 32 bits with a sign only
    return np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _tags(image: Image.Image) -> "TiffImagePlugin.ImageFileDirectory_v2 | dict[int, tuple[int, ...]]":
    """The tags of a TIFF; nothing for other formats."""
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def _strips(image: Image.Image) -> Iterator[Box]:
    """Boxes that cover the image from top to bottom."""
    for upper in range(0, image.height, STRIP_ROWS):
        yield 0, upper, image.width, min(upper + STRIP_ROWS, image.height)
