"""Samples of any depth, alpha that is none, and broken metadata: pictures as other programs show them."""

import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from eoltag.errors import Undecodable
from eoltag.image.decode import decode
from tests.image.test_decode import BLUE, GREEN, LIMIT, RED, YELLOW, as_file, corners, quarters, read, scene

RAMP = np.tile(np.linspace(0, 1, 64), (64, 1))
"""Black on the left, white on the right."""


def tiff(samples: np.ndarray[Any, Any], **tags: int) -> bytes:
    """A TIFF of one strip with these samples. tags: numbers of SHORT tags by name `tNUMBER`."""
    buffer = BytesIO()
    image = Image.fromarray(samples)
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        directory[int(name[1:])] = value
    image.save(buffer, "TIFF", tiffinfo=directory)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        tiff((RAMP * 65_535).astype(np.uint16)),
        tiff((RAMP * 4_095).astype(np.uint16)),
        tiff((RAMP * 255).astype(np.uint16)),
        tiff((RAMP * (2**31 - 1)).astype(np.int32)),
        tiff(RAMP.astype(np.float32)),
        tiff((RAMP * 255).astype(np.float32)),
        tiff((RAMP * 1e6).astype(np.float32)),
        tiff(((1 - RAMP) * 65_535).astype(np.uint16), t262=0),
        as_file(Image.fromarray((RAMP * 4_095).astype(np.uint16)), "PNG"),
    ],
    ids=["16", "12 in 16", "8 in 16", "32", "float 1", "float 255", "float 1e6", "white is 0", "PNG 12 in 16"],
)
def test_a_ramp_from_black_to_white_is_one_whatever_its_depth(data: bytes) -> None:
    found = decode(data, [], LIMIT, [None]).pictures[0][32, :, 0].astype(int)
    assert np.abs(found - RAMP[0] * 255).max() <= 2


def bmp_with_alpha(image: Image.Image, alpha: int) -> bytes:
    """A BMP of 32 bits whose header (BITMAPV4HEADER) names an alpha mask."""
    pixels = np.asarray(image)[::-1, :, ::-1]
    rows = np.dstack([pixels, np.full(pixels.shape[:2], alpha, np.uint8)]).tobytes()
    masks = b"".join(mask.to_bytes(4, "little") for mask in (0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    sizes = [image.width, image.height, 1 | 32 << 16, 3, len(rows), 2835, 2835, 0, 0]
    header = b"".join(number.to_bytes(4, "little") for number in (108, *sizes)) + masks
    header = header.ljust(108, b"\0")
    start = (14 + len(header)).to_bytes(4, "little")
    return b"BM" + (14 + len(header) + len(rows)).to_bytes(4, "little") + b"\0" * 4 + start + header + rows


def test_an_alpha_that_is_0_in_the_whole_of_a_bmp_is_none() -> None:
    assert corners(read(bmp_with_alpha(quarters(), 0)).pixels[0]) == [RED, GREEN, BLUE, YELLOW]
    half = corners(read(bmp_with_alpha(quarters(), 128)).pixels[0])
    assert half[0] == tuple(round((255 * 127 + part * 128) / 255) for part in RED)


def test_a_fourth_sample_that_a_tiff_does_not_call_alpha_is_none() -> None:
    image = quarters().convert("RGBA")
    image.putalpha(0)
    named = as_file(image, "TIFF")
    entry = named.index((338).to_bytes(2, "little"))
    unnamed = named[:entry] + (340).to_bytes(2, "little") + named[entry + 2 :]
    assert corners(read(named).pixels[0]) == [(255, 255, 255)] * 4
    assert corners(read(unnamed).pixels[0]) == [RED, GREEN, BLUE, YELLOW]


def chunk(kind: bytes, data: bytes, *, is_whole: bool = True) -> bytes:
    """A chunk of a PNG."""
    return len(data).to_bytes(4, "big") + kind + data + (zlib.crc32(kind + data) ^ (not is_whole)).to_bytes(4, "big")


HUGE_TEXT = zlib.compress(b" " * (2 << 20))


@pytest.mark.parametrize(
    "metadata",
    [
        chunk(b"zTXt", b"Comment\0\0" + HUGE_TEXT),
        chunk(b"iCCP", b"profile\0\0" + HUGE_TEXT),
        chunk(b"tEXt", b"Comment\0x", is_whole=False),
        chunk(b"gAMA", (45_455).to_bytes(4, "big"), is_whole=False),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + HUGE_TEXT),
    ],
    ids=["text", "profile", "checksum of text", "checksum of gamma", "XMP"],
)
@pytest.mark.parametrize("is_before", [True, False])
def test_metadata_that_cannot_be_read_leaves_the_picture_of_a_png(metadata: bytes, is_before: bool) -> None:
    whole = as_file(quarters(), "PNG")
    place = whole.index(b"IDAT") - 4 if is_before else len(whole) - 12
    data = whole[:place] + metadata + whole[place:]
    assert np.array_equal(read(data).pixels[0], read(whole).pixels[0])


def test_a_png_is_upright_by_its_exif_though_other_metadata_is_broken() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = as_file(quarters(), "PNG", exif=exif)
    place = whole.index(b"IDAT") - 4
    data = whole[:place] + chunk(b"tEXt", b"Comment\0x", is_whole=False) + whole[place:]
    assert corners(read(data).pixels[0]) == corners(read(whole).pixels[0]) == [BLUE, RED, YELLOW, GREEN]


def test_a_png_whose_picture_is_broken_stays_undecodable() -> None:
    whole = as_file(scene(64, 64), "PNG")
    place = whole.index(b"IDAT") + 20
    with pytest.raises(Undecodable):
        read(whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :])


def test_what_a_broken_png_is_refused_for_is_said_of_the_file_as_it_came() -> None:
    noise = bytes(range(256)) * 4
    with pytest.raises(Undecodable):
        read(b"\x89PNG\r\n\x1a\n" + noise)
