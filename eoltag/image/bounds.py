"""What a picture would cost to decode, told from its header alone: memory, and passes over its pixels.

A file of 185 KB can describe a picture whose rows take 3 GB to list, one of 448 KB a picture that is drawn 600
times.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final, Literal

from PIL import Image

from eoltag.errors import TooManyPixels, Undecodable

BYTES_A_PIXEL: Final = 20
"""Memory allowed for each of `max_pixels`: a progressive JPEG of four colours takes 16, and nothing sound more."""
LEAST_BYTES: Final = 64_000_000
"""Allowed whatever `max_pixels` is."""
BYTES_A_LINE: Final = 48
"""Rows are listed in memory, and resizing lists weights for rows and columns: 35 measured at 1 x 95,000,000 pixels."""
MOST_SCANS: Final = 20
"""Times that a JPEG of `max_pixels` may be drawn; a smaller one more often. Encoders draw one 1 to 12 times."""
MOST_PARTS: Final = 200_000
"""Numbers in one list of a TIFF: strips, tiles, a palette of 16 bits (196,608). Pillow reads 25,000 strips a second."""

_STORED: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes that Pillow takes for a pixel of a mode; 4 for all others."""
_TARGET: Final = 4
"""Bytes of a pixel of the RGB picture that every image becomes."""
_DECODER: Final = {"WEBP": 8, "TIFF": 8, "GIF": 4}
"""Bytes a pixel that a format's own reader holds besides: two canvases, a strip as large as the picture, a frame."""
_COEFFICIENT: Final = 2
"""Bytes that a JPEG of several scans holds for each value of each colour until the last scan is read."""

_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_SCAN: Final = b"\xff\xda"
_END: Final = b"\xff\xd9"
_TIFF_NUMBERS: Final = (3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18)
"""Types of a TIFF's fields that Pillow reads one by one; texts and bytes are read at once."""
_TILE_WIDTH, _TILE_LENGTH = 322, 323


def check_before_open(data: bytes, max_pixels: int) -> None:
    """Refuse what costs much as soon as a reader opens it. Raises TooManyPixels or Undecodable."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        width, height = _webp_size(data)
        check_pixels(width, height, max_pixels)
    elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        _check_tiff(data, max_pixels)


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Raises TooManyPixels."""
    if width * height > max_pixels:
        raise TooManyPixels(f"{width}x{height} is more than {max_pixels} pixels")


def check_cost(image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Refuse an opened image that would take too much memory or time to load. Raises TooManyPixels or Undecodable."""
    width, height = image.size
    scans = _scans(image, data, MOST_SCANS * max_pixels // (width * height)) if image.format in ("JPEG", "MPO") else 1
    if scans * width * height > MOST_SCANS * max_pixels:
        raise Undecodable(f"{scans} scans of {width}x{height} pixels; {MOST_SCANS} of {max_pixels} are allowed")
    wanted, allowed = _memory(image, scans), max(LEAST_BYTES, BYTES_A_PIXEL * max_pixels)
    if wanted > allowed:
        raise TooManyPixels(f"{width}x{height} would take {wanted} bytes of memory; {allowed} are allowed")


def _memory(image: Image.Image, scans: int) -> int:
    """Bytes that decoding takes at most, about."""
    width, height = image.size
    a_pixel = _STORED.get(image.mode, 4) + _DECODER.get(str(image.format), 0)
    if image.mode != "RGB":
        a_pixel += _TARGET
    if scans > 1:
        a_pixel += _COEFFICIENT * len(image.getbands())
    return width * height * a_pixel + BYTES_A_LINE * (width + height)


def _scans(image: Image.Image, data: bytes, allowed: int) -> int:
    """Scans of a JPEG; more than `allowed` are counted exactly, since other files inside it hold their own.

    One scan of all colours is the last of a file that is not progressive: then nothing is counted, which takes a
    twentieth of the time of decoding.
    """
    first = next((place for marker, place in _markers(data) if marker == _SCAN), len(data))
    if "progressive" not in image.info and data[first + 2 : first + 3] == bytes([len(image.getbands())]):
        return 1
    scans = data.count(_SCAN)
    return scans if scans <= allowed else sum(marker == _SCAN for marker, _ in _markers(data))


def _markers(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The markers of the first picture in a JPEG file, each with the place after it; none that metadata holds."""
    place = 2
    while (found := _MARKER.search(data, place)) is not None and found[0] != _END:
        yield found[0], found.end()
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        place = found.end() + max(length, 2)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas by the first chunk; (0, 0) where it is another."""
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return 0, 0


def _check_tiff(data: bytes, max_pixels: int) -> None:
    """Raises Undecodable for a list of too many strips or the like, TooManyPixels for a tile of too many pixels."""
    tile = {_TILE_WIDTH: 0, _TILE_LENGTH: 0}
    for tag, kind, count, value in _tiff_fields(data):
        if count > MOST_PARTS and kind in _TIFF_NUMBERS:
            raise Undecodable(f"field {tag} of the TIFF lists {count} numbers; {MOST_PARTS} are allowed")
        if tag in tile:
            tile[tag] = value
    check_pixels(tile[_TILE_WIDTH], tile[_TILE_LENGTH], max_pixels)


def _tiff_fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, count and (single) value of each field of the first page, as far as the file goes."""
    mark = "<" if data[:2] == b"II" else ">"
    order: Literal["little", "big"] = "little" if mark == "<" else "big"
    is_big = b"+" in data[2:4]
    place = int.from_bytes(data[8:16] if is_big else data[4:8], order)
    head, field = (8, f"{mark}HHQ8s") if is_big else (2, f"{mark}HHI4s")
    entries = int.from_bytes(data[place : place + head], order)
    size, start = struct.calcsize(field), place + head
    for at in range(start, min(start + entries * size, len(data) - size + 1), size):
        tag, kind, count, value = struct.unpack_from(field, data, at)
        yield tag, kind, count, int.from_bytes(value[:2] if kind == 3 else value[:4], order)
