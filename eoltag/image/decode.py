"""Bytes to uint8 RGB. Training, `classify` and the Spark job all decode here, so they see the same pixels."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from math import prod
from typing import Final, Literal
from warnings import filterwarnings

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from eoltag.errors import ImageError, NotImage, TooManyPixels, Truncated, Undecodable
from eoltag.image.bounds import check_before_open, check_cost, check_pixels
from eoltag.image.png import without_metadata
from eoltag.image.resize import HAS_SIMD, Box, Source
from eoltag.image.samples import as_rgb
from eoltag.records import Decoded, Fit, InputSpec, Pixels

__all__ = ["decode"]

_READERS: Final = (BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Importing a reader registers it; Pillow registers WEBP and TIFF only on demand."""

FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")
"""Told apart by content; Pillow's other readers stay off, since nobody reviews them for hostile files."""

DRAFT_FACTOR: Final = 2
"""JPEG is decoded at a reduced scale only where that leaves twice the size asked for: the mean difference from a
full decode is then 0.1 of 255, and 0.8 where it leaves just the size (40 web photos; worst photo 0.4 and 3.8)."""

SIMD_PIXELS: Final = 4 * 1024**2
"""Larger pictures are resized by Pillow itself: the other way needs two copies, 120 MB of 20 megapixels."""

LONGEST_COPY: Final = 4
"""Times its shorter side: a copy of a strip of 100,000 x 300 pixels would else be as large as the strip."""

HASH_SIZE: Final = (9, 8)
HASH_GAP: Final = 2.0
"""Shrink coarsely to twice the size first: 72 cells need no more."""

_RESAMPLE: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
_WHITE: Final = (255, 255, 255)

_TURNS: Final[dict[int | None, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets an image upright, by its EXIF orientation."""

_SIDEWAYS: Final = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
"""Those that swap width and height."""

_SIGNATURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
"""First bytes that only images have; Pillow looks further into a WEBP, and the two letters of a BMP prove little."""

# Pillow warns of metadata that it cannot read; the picture is what matters. Set once and for all: a filter for the
# length of a call would not be safe in threads.
filterwarnings("ignore", module=r"PIL\.")


def decode(
    data: bytes,
    specs: Sequence[InputSpec],
    max_pixels: int,
    sides_px: Sequence[int | None] = (),
    copy_side_px: int = 0,
) -> Decoded:
    """The image upright, on white where it is transparent, in every size asked for.

    data: a whole file: JPEG (RGB, grey, CMYK), PNG, GIF (first frame), WEBP, TIFF or BMP; its name plays no part.
    sides_px: pictures wanted in their own proportions, with at most that longer side; None: as large as they are.
    copy_side_px: the shorter side of a copy to keep, see copy_size; 0: none is wanted.
    Raises NotImage, Truncated, Undecodable or TooManyPixels.
    """
    wanted = (specs, max_pixels, sides_px, copy_side_px)
    try:
        return _decoded(data, *wanted)
    except Undecodable as problem:
        bare = without_metadata(data)
        if bare is None:
            raise
        try:
            return _decoded(bare, *wanted)
        except ImageError:
            raise problem from None  # of the file as it came


def _decoded(
    data: bytes, specs: Sequence[InputSpec], max_pixels: int, sides_px: Sequence[int | None], copy_side_px: int
) -> Decoded:
    """As `decode`, without a second try."""
    check_before_open(data, max_pixels)
    image = _open(data)
    width, height = image.size
    check_pixels(width, height, max_pixels)
    check_cost(image, data, max_pixels)
    color_mode = image.mode
    try:
        box = _draft(image, specs, sides_px, copy_side_px) or (0, 0, width, height)
        image.load()
        turn = _TURNS.get(_orientation(image))  # not before: a TIFF turns itself while it loads
        picture = _Picture(as_rgb(image), box, turn)
        pixels = tuple(_fitted(picture, spec) for spec in specs)
        pictures = tuple(_bounded(picture, side_px) for side_px in sides_px)
        copy = _copied(picture, copy_side_px) if copy_side_px else None
        fingerprint = difference_hash(picture.shrunk(HASH_SIZE, Image.Resampling.LANCZOS, gap=HASH_GAP))
    except MemoryError as problem:
        raise Undecodable(f"{width}x{height} takes more memory than this process may have") from problem
    except Exception as problem:  # Pillow's readers raise nearly anything on hostile bytes; this is their one boundary
        raise _decode_error(problem, data) from problem
    if picture.is_sideways:
        width, height = height, width
    return Decoded(pixels, width, height, color_mode, fingerprint, pictures, copy)


@dataclass(frozen=True)
class _Picture:
    """An image as its file holds it, and how it is meant to be seen."""

    image: Image.Image
    box: Box
    """The part that is picture: at a reduced scale, the last row and column may be fractions of a pixel."""
    turn: Image.Transpose | None
    """Sets it upright."""

    @property
    def is_sideways(self) -> bool:
        """Upright, width and height change places."""
        return self.turn in _SIDEWAYS

    @cached_property
    def source(self) -> Source:
        """The image as `resize` takes it: copied once, whatever number of sizes is asked for."""
        return Source(self.image.tobytes(), self.image.size)

    def scaled(self, size: tuple[int, int], resample: Image.Resampling, *, box: Box | None = None) -> Pixels:
        """The part in `box`, as the file holds it, upright in that size. Turned last, when it is small."""
        if resample != Image.Resampling.BILINEAR or not self.fits_simd:
            return np.asarray(self.shrunk(size, resample, box=box))
        return self._turned(self.source.bilinear(self._stored(size), box or self.box))

    def copied(self, size: tuple[int, int]) -> Pixels:
        """The picture in that size with all detail that it can hold: who resizes it again blurs it once, not twice."""
        if not self.fits_simd:
            return np.asarray(self.shrunk(size, Image.Resampling.LANCZOS))
        return self._turned(self.source.lanczos(self._stored(size), self.box))

    def shrunk(
        self, size: tuple[int, int], resample: Image.Resampling, *, box: Box | None = None, gap: float | None = None
    ) -> Image.Image:
        """The picture resized by Pillow, which with a `gap` begins by means of whole pixels; see its `reducing_gap`."""
        small = self.image.resize(self._stored(size), resample, box or self.box, reducing_gap=gap)
        return small if self.turn is None else small.transpose(self.turn)

    @property
    def fits_simd(self) -> bool:
        """Vector instructions are there, and a second copy of the picture may be made for them."""
        return HAS_SIMD and prod(self.image.size) <= SIMD_PIXELS

    def _turned(self, small: Pixels) -> Pixels:
        return small if self.turn is None else np.asarray(Image.fromarray(small).transpose(self.turn))

    def _stored(self, size: tuple[int, int]) -> tuple[int, int]:
        return size[::-1] if self.is_sideways else size


def difference_hash(image: Image.Image) -> str:
    """64-bit dHash as 16 hex digits: is each of 9x8 grey cells darker than its right neighbour, row by row?

    Source: N. Krawetz, "Kind of Like That" (hackerfactor.com, 2013). Near-duplicates differ in few bits.
    """
    small = image.resize(HASH_SIZE, Image.Resampling.LANCZOS, reducing_gap=HASH_GAP).convert("L")
    cells = np.asarray(small)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as problem:
        if data.startswith(_SIGNATURES):
            raise _decode_error(problem, data) from problem
        raise NotImage(f"no image format that is read here ({len(data)} bytes, first {data[:12]!r})") from problem
    except Image.DecompressionBombError as problem:
        raise TooManyPixels(str(problem)) from problem
    except Exception as problem:  # a recognised header whose rest is broken
        raise _decode_error(problem, data) from problem


def _decode_error(problem: Exception, data: bytes) -> Truncated | Undecodable:
    promised = _promised_bytes(data)
    if len(data) < promised:
        return Truncated(f"{len(data)} bytes of {promised} or more")
    if isinstance(problem, UnidentifiedImageError):
        return Undecodable(f"starts like an image but cannot be read ({len(data)} bytes, first {data[:12]!r})")
    text = str(problem) or type(problem).__name__
    if "truncated" in text.lower() or isinstance(problem, EOFError):
        return Truncated(text)
    return Undecodable(text)


def _promised_bytes(data: bytes) -> int:
    """The least length of a file with this beginning: Pillow does not tell a cut header from a broken one."""
    if data.startswith(b"RIFF"):
        return 8 + int.from_bytes(data[4:8], "little")
    if data.startswith((b"II*\0", b"MM\0*")):
        order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
        directory = int.from_bytes(data[4:8], order)
        entries = int.from_bytes(data[directory : directory + 2], order)
        return directory + 2 + 12 * entries + 4
    if data.startswith(b"GIF8"):
        has_palette, bits = data[10:11] > b"\x7f", (data[10:11] or b"\0")[0] & 7
        return 13 + (3 * 2 ** (bits + 1) if has_palette else 0)
    return 57 if data.startswith(_SIGNATURES) else 0  # PNG: signature, IHDR, IDAT, IEND; the smallest JPEG has more


def _orientation(image: Image.Image) -> int | None:
    """The EXIF or XMP orientation, 1 to 8, where there is one to be read."""
    with suppress(Exception):  # broken EXIF leaves the picture as it lies
        orientation: int | None = image.getexif().get(ExifTags.Base.Orientation)
        return orientation
    return None


def _draft(
    image: Image.Image, specs: Sequence[InputSpec], sides_px: Sequence[int | None], copy_side_px: int
) -> Box | None:
    """Let the JPEG reader skip detail that nobody will see. Where the picture then lies; None if nothing changed."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or None in sides_px:
        return None
    is_sideways = _TURNS.get(_orientation(image)) in _SIDEWAYS
    upright = image.size[::-1] if is_sideways else image.size
    sizes = [(spec.width, spec.height) for spec in specs] or [HASH_SIZE]
    sizes += [_within(upright, side_px) for side_px in sides_px if side_px is not None]
    copied = copy_size(upright, copy_side_px) if copy_side_px else (0, 0)  # of the size of the models, and less exact
    width, height = (
        max(DRAFT_FACTOR * max(sides), kept) for sides, kept in zip(zip(*sizes, strict=True), copied, strict=True)
    )
    drafted = image.draft(None, (height, width) if is_sideways else (width, height))
    return None if drafted is None else drafted[1]


def _within(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    """A size (width, height) of the same proportions whose longer side is at most `side_px`; never a larger one."""
    scale = min(1.0, side_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def copy_size(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    """The size (width, height) of a copy whose shorter side is `side_px`; never a larger one than the picture's.

    A picture of more than LONGEST_COPY times its height, or the reverse, has a smaller one.
    """
    scale = min(1.0, side_px / min(size), LONGEST_COPY * side_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _copied(picture: _Picture, side_px: int) -> Pixels:
    """The copy to keep."""
    _, _, across, down = picture.box
    width, height = (down, across) if picture.is_sideways else (across, down)
    return picture.copied(copy_size((round(width), round(height)), side_px))


def _bounded(picture: _Picture, side_px: int | None) -> Pixels:
    """In its own proportions."""
    if side_px is None:
        return np.asarray(picture.image if picture.turn is None else picture.image.transpose(picture.turn))
    _, _, across, down = picture.box
    width, height = (down, across) if picture.is_sideways else (across, down)
    return picture.scaled(_within((round(width), round(height)), side_px), Image.Resampling.BILINEAR)


def _fitted(picture: _Picture, spec: InputSpec) -> Pixels:
    fit: Fit = spec.fit
    size = (spec.width, spec.height)
    resample = _RESAMPLE[spec.resample]
    if fit == "stretch":
        return picture.scaled(size, resample)
    _, _, width, height = picture.box
    across, down = size[::-1] if picture.is_sideways else size
    if fit == "crop":
        scale = min(width / across, height / down)
        left, upper = max(0.0, width - scale * across) / 2, max(0.0, height - scale * down) / 2  # rounding may exceed
        return picture.scaled(size, resample, box=(left, upper, width - left, height - upper))
    return _padded(picture, size, resample, min(across / width, down / height))


def _padded(picture: _Picture, size: tuple[int, int], resample: Image.Resampling, scale: float) -> Pixels:
    """The whole image in the middle of a white sheet; at least a line of it, however long and thin it is."""
    _, _, across, down = picture.box
    width, height = (down, across) if picture.is_sideways else (across, down)
    whole = picture.scaled((max(1, round(width * scale)), max(1, round(height * scale))), resample)
    sheet = np.full((size[1], size[0], 3), _WHITE, np.uint8)
    top, left = (size[1] - whole.shape[0]) // 2, (size[0] - whole.shape[1]) // 2
    sheet[top : top + whole.shape[0], left : left + whole.shape[1]] = whole
    return sheet
