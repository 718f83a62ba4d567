"""Bytes to uint8 RGB. Training, `classify` and the Spark job all decode here, so they see the same pixels."""

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from typing import Final
from warnings import catch_warnings, simplefilter

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from eoltag.errors import NotImage, TooManyPixels, Truncated, Undecodable
from eoltag.records import Decoded, Fit, InputSpec, Pixels

_READERS: Final = (BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Importing a reader registers it; Pillow registers WEBP and TIFF only on demand."""

FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")
"""Told apart by content; Pillow's other readers stay off, since nobody reviews them for hostile files."""

DRAFT_FACTOR: Final = 2
"""JPEG is decoded at a reduced scale only where that leaves twice the size asked for: the mean difference from a
full decode is then 0.05 of 255, and 0.4 where it leaves just the size (measured on web photos)."""

HASH_SIDE: Final = 8

_RESAMPLE: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
_WHITE: Final = (255, 255, 255)


def decode(data: bytes, specs: Sequence[InputSpec], max_pixels: int) -> Decoded:
    """The image upright, on white where it is transparent, in every size asked for.

    data: a whole file: JPEG (RGB, grey, CMYK), PNG, GIF (first frame), WEBP, TIFF or BMP; its name plays no part.
    Raises NotImage, Truncated, Undecodable or TooManyPixels.
    """
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise TooManyPixels(f"{width}x{height} is more than {max_pixels} pixels")
    color_mode = image.mode
    try:
        turned = _is_turned(image)
        if turned:
            width, height = height, width
        _draft(image, specs, turned)
        upright = _upright_rgb(image)
        pixels = tuple(np.asarray(_fitted(upright, spec)) for spec in specs)
        fingerprint = difference_hash(upright)
    except MemoryError:
        raise
    except Exception as problem:  # Pillow's readers raise nearly anything on hostile bytes; this is their one boundary
        raise _decode_error(problem) from problem
    return Decoded(pixels, width, height, color_mode, fingerprint)


def difference_hash(image: Image.Image) -> str:
    """64-bit dHash as 16 hex digits: is each of 9x8 grey cells darker than its right neighbour, row by row?

    Source: N. Krawetz, "Kind of Like That" (hackerfactor.com, 2013). Near-duplicates differ in few bits.
    """
    small = image.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0).convert("L")
    cells = np.asarray(small)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()


def _open(data: bytes) -> Image.Image:
    try:
        with catch_warnings():
            simplefilter("ignore")  # Pillow warns of metadata it cannot read; the picture is what matters
            return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as problem:
        raise NotImage(f"no image format that is read here ({len(data)} bytes, first {data[:12]!r})") from problem
    except Image.DecompressionBombError as problem:
        raise TooManyPixels(str(problem)) from problem
    except Exception as problem:  # a recognised header whose rest is broken
        raise _decode_error(problem) from problem


def _decode_error(problem: Exception) -> Truncated | Undecodable:
    text = str(problem) or type(problem).__name__
    if "truncated" in text.lower() or isinstance(problem, EOFError):
        return Truncated(text)
    return Undecodable(text)


def _is_turned(image: Image.Image) -> bool:
    """EXIF says that width and height change places."""
    orientation = 1
    with suppress(Exception):  # broken EXIF leaves the picture as it lies
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation in (5, 6, 7, 8)


def _draft(image: Image.Image, specs: Sequence[InputSpec], turned: bool) -> None:
    """Let the JPEG reader skip detail that no model will see."""
    width = max((spec.width for spec in specs), default=HASH_SIDE * 4) * DRAFT_FACTOR
    height = max((spec.height for spec in specs), default=HASH_SIDE * 4) * DRAFT_FACTOR
    image.draft(None, (height, width) if turned else (width, height))


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    with suppress(KeyError, ValueError, TypeError, SyntaxError):  # broken EXIF leaves the picture as it lies
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = _deep_to_grey(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, _WHITE)
        image.paste(layer, mask=layer.getchannel("A"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _deep_to_grey(image: Image.Image) -> Image.Image:
    """16-bit and float files to 8 bits; Pillow's own conversion clips everything above 255 to white."""
    values = np.asarray(image).astype(np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    scale = 255 / 65535 if top > 255 else 1.0 if top > 1 or image.mode.startswith("I") else 255.0
    return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8), mode="L")


def _fitted(image: Image.Image, spec: InputSpec) -> Image.Image:
    fit: Fit = spec.fit
    size = (spec.width, spec.height)
    resample = _RESAMPLE[spec.resample]
    if fit == "stretch":
        return image if image.size == size else image.resize(size, resample)
    if fit == "crop":
        return ImageOps.fit(image, size, resample)
    return ImageOps.pad(image, size, resample, color=_WHITE)


def blank(spec: InputSpec) -> Pixels:
    """A black picture of the size that `spec` asks for, (H, W, 3): for warming a model up."""
    return np.zeros((spec.height, spec.width, 3), np.uint8)
