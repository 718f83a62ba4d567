"""Pictures that would exhaust or stop whoever decodes them: each is refused by its header, and sound ones are read."""

import struct
import zlib
from typing import Any, Final

import pytest
from PIL import Image

from eoltag.errors import ImageError, TooManyPixels, Undecodable
from eoltag.image import bounds
from eoltag.image.decode import decode
from eoltag.records import Decoded, InputSpec
from tests.support.bombs import as_file, noise, scans_repeated, tiff, webp_canvas, zeros
from tests.support.images import png

SMALL: Final = InputSpec(32, 32, "stretch", "bilinear")
MAX_PIXELS: Final = 95_000_000


def read(data: bytes, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The small picture."""
    return decode(data, [SMALL], max_pixels)


@pytest.mark.parametrize(("width", "height"), [(1, 95_000_000), (95_000_000, 1)])
def test_a_picture_of_a_pixel_s_width_is_refused_for_the_rows_that_it_takes(width: int, height: int) -> None:
    with pytest.raises(TooManyPixels, match=rf"{width}x{height} would take \d+ bytes of memory; 1900000000 are"):
        read(png(width, height, zlib.compress(b"")))


def test_a_long_strip_is_still_read() -> None:
    assert read(zeros(20, 100_000)).height == 100_000


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "], ids=bytes.decode)
def test_a_webp_of_38_bytes_that_claims_268_megapixels_is_refused_before_it_is_opened(
    kind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(TooManyPixels, match="16383x16383 is more than 95000000 pixels"):
        read(webp_canvas(kind))


@pytest.mark.parametrize("is_big", [False, True], ids=["classic", "BigTIFF"])
def test_a_tiff_of_too_many_strips_is_refused_before_it_is_opened(
    is_big: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(Undecodable, match="field 273 of the TIFF lists 200001 numbers; 200000 are allowed"):
        read(tiff(200_001, is_big=is_big))


def test_a_tiff_of_one_enormous_tile_is_refused() -> None:
    with pytest.raises(TooManyPixels, match="60000x60000 is more than 95000000 pixels"):
        read(tiff(10, tile=60_000))


def test_a_tiff_of_a_strip_for_every_row_is_read() -> None:
    assert read(tiff(3000)).height == 3000


def test_a_jpeg_drawn_too_often_is_refused_and_the_same_picture_drawn_as_encoders_do_is_read() -> None:
    progressive = as_file(noise(64, 48), "JPEG", progressive=True)
    assert read(progressive, 64 * 48).width == 64
    with pytest.raises(Undecodable, match=r"609 scans of 64x48 pixels; 20 of 3072 are allowed"):
        read(scans_repeated(progressive, 600), 64 * 48)


def test_a_small_jpeg_may_be_drawn_more_often() -> None:
    assert read(scans_repeated(as_file(noise(64, 48), "JPEG", progressive=True), 60)).width == 64


@pytest.mark.parametrize("is_progressive", [False, True])
def test_marks_of_scans_in_metadata_and_in_files_behind_the_picture_count_for_nothing(is_progressive: bool) -> None:
    marks = b"\xff\xda" * 1000
    file = as_file(noise(64, 48), "JPEG", progressive=is_progressive)
    with_notes = file[:2] + b"\xff\xed" + struct.pack(">H", len(marks) + 2) + marks + file[2:] + marks
    assert read(with_notes, 64 * 48).perceptual_hash == read(file).perceptual_hash


@pytest.mark.parametrize(
    ("mode", "format_", "options"),
    [
        ("CMYK", "JPEG", {"progressive": True}), ("L", "JPEG", {}), ("RGB", "JPEG", {"progressive": True}),
        ("RGBA", "PNG", {}), ("P", "GIF", {}), ("RGBA", "WEBP", {"lossless": True}), ("RGBA", "TIFF", {}),
        ("CMYK", "TIFF", {"compression": "tiff_lzw"}), ("RGB", "BMP", {}),
    ],
)  # fmt: skip
def test_every_sound_picture_of_the_most_pixels_that_are_allowed_is_read(
    mode: str, format_: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bounds are linear in the pixels, so that a hundred-thousandth of the default stands for it."""
    monkeypatch.setattr(bounds, "LEAST_BYTES", 0)
    file = as_file(noise(1000, 950, mode), format_, **options)
    assert read(file, 950_000).width == 1000
    with pytest.raises(TooManyPixels):
        read(file, 949_999)


@pytest.mark.parametrize("place", ["eoltag.image.decode.as_rgb", "eoltag.image.decode._draft"])
def test_memory_that_runs_out_is_an_outcome(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(place, fail)
    with pytest.raises(ImageError, match="64x48 takes more memory than this process may have") as caught:
        read(as_file(noise(64, 48), "JPEG"))
    assert isinstance(caught.value, Undecodable)
