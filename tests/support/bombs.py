"""Small files that cost whoever opens them much memory or time."""

import struct
import zlib
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.support.images import png


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture whose JPEG has something in every scan."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def as_file(image: Image.Image, format_: str, **options: Any) -> bytes:
    """The encoded file."""
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def scans_repeated(jpeg: bytes, times: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times."""
    start = jpeg.rfind(b"\xff\xda")
    return jpeg[:start] + jpeg[start:-2] * times + jpeg[-2:]


def webp_canvas(kind: bytes) -> bytes:
    """38 bytes that claim 16,383 x 16,383 pixels."""
    chunk = {
        b"VP8X": b"\x10\0\0\0" + (16_382).to_bytes(3, "little") * 2,
        b"VP8L": b"\x2f" + (16_382 | 16_382 << 14).to_bytes(4, "little"),
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 16_383, 16_383),
    }[kind]
    body = b"WEBP" + kind + struct.pack("<I", len(chunk)) + chunk
    return (b"RIFF" + struct.pack("<I", len(body)) + body).ljust(38, b"\0")


def tiff(strips: int, *, tile: int = 0, is_big: bool = False) -> bytes:
    """A TIFF of 100 pixels a row that lists so many strips, all of them the same; or one tile of that side."""
    at = 1000
    fields = [(256, 4, 1, 100), (257, 4, 1, strips), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    fields += [(322, 4, 1, tile), (323, 4, 1, tile)] if tile else []
    fields += [(273, 4, strips, at), (278, 4, 1, 1), (279, 4, strips, at)]
    if is_big:
        head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) + struct.pack("<Q", len(fields))
        body = b"".join(struct.pack("<HHQQ", *field) for field in fields)
    else:
        head = b"II*\0" + struct.pack("<IH", 8, len(fields))
        body = b"".join(struct.pack("<HHII", *field) for field in fields)
    return (head + body).ljust(at, b"\0") + b"\1\0\0\0" * strips


def zeros(width: int, height: int) -> bytes:
    """A PNG of black pixels, a thousandth of their size."""
    return png(width, height, zlib.compress(bytes(height * (1 + 3 * width)), 1))


BOMBS: Final[dict[str, Callable[[], bytes]]] = {
    "a PNG of one column": lambda: png(1, 95_000_000, zlib.compress(b"")),
    "a PNG of zeros": partial(zeros, 7_000, 7_000),
    **{f"a WEBP of 38 bytes ({kind.decode()})": partial(webp_canvas, kind) for kind in (b"VP8X", b"VP8L", b"VP8 ")},
    "a TIFF of 3,000,000 strips": partial(tiff, 3_000_000),
    "a BigTIFF of 3,000,000 strips": partial(tiff, 3_000_000, is_big=True),
    "a TIFF of one enormous tile": partial(tiff, 10, tile=60_000),
    "a JPEG of 600 scans": lambda: scans_repeated(as_file(noise(640, 480), "JPEG", progressive=True), 60),
    "a GIF that claims 65,535 pixels a side": lambda: (
        b"GIF89a" + b"\xff" * 4 + b"\0\0\0," + b"\0" * 4 + b"\xff" * 4 + b"\0\2\0;"
    ),
}
"""What each is -> makes it."""
