"""Any bytes to upright RGB, or to the one reason why not."""

import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from eoltag.errors import ImageError, NotImage, TooManyPixels, Truncated, Undecodable
from eoltag.image.decode import decode, difference_hash
from eoltag.records import Decoded, Fit, InputSpec, Outcome, Pixels
from tests.support.images import png
from tests.support.paths import ROOT

LIMIT = 95_000_000
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 40), (40, 60, 210), (230, 220, 40)
SMALL = InputSpec(32, 32, "stretch", "bilinear")


def quarters(width: int = 160, height: int = 96) -> Image.Image:
    """Red and green above, blue and yellow below: shows every turn and mirroring."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def scene(width: int, height: int) -> Image.Image:
    """Smooth blots of colour, as a photo has them."""
    noise = np.random.default_rng(5).integers(0, 256, (7, 9, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def as_file(image: Image.Image, format_: str, **options: Any) -> bytes:
    """The image as a file."""
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def read(data: bytes, spec: InputSpec = SMALL) -> Decoded:
    """With the default limit."""
    return decode(data, [spec], LIMIT)


def corners(pixels: Pixels) -> list[tuple[int, ...]]:
    """Colours of the upper left, upper right, lower left and lower right quarter's middle."""
    low, high = len(pixels) // 4, 3 * len(pixels) // 4
    return [tuple(pixels[y, x].tolist()) for y, x in ((low, low), (low, high), (high, low), (high, high))]


def assert_near(found: Sequence[tuple[int, ...]], wanted: Sequence[tuple[int, ...]], tolerance: int = 12) -> None:
    assert np.abs(np.array(found) - np.array(wanted)).max() <= tolerance, (found, wanted)


LIKE_RGB: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg": ("RGB", lambda: as_file(quarters(), "JPEG", quality=95)),
    "progressive jpeg": ("RGB", lambda: as_file(quarters(), "JPEG", quality=95, progressive=True)),
    "cmyk jpeg": ("CMYK", lambda: as_file(quarters().convert("CMYK"), "JPEG", quality=95)),
    "png": ("RGB", lambda: as_file(quarters(), "PNG")),
    "palette png": ("P", lambda: as_file(quarters().quantize(8), "PNG")),
    "gif": ("P", lambda: as_file(quarters().quantize(8), "GIF")),
    "webp": ("RGB", lambda: as_file(quarters(), "WEBP", quality=95)),
    "tiff": ("RGB", lambda: as_file(quarters(), "TIFF")),
    "lzw tiff": ("RGB", lambda: as_file(quarters(), "TIFF", compression="tiff_lzw")),
    "bmp": ("RGB", lambda: as_file(quarters(), "BMP")),
    "photo with a second picture": (
        "RGB",
        lambda: as_file(quarters(), "MPO", save_all=True, append_images=[scene(8, 8)]),
    ),
}


@pytest.mark.parametrize("kind", LIKE_RGB)
def test_every_format_shows_the_same_picture(kind: str) -> None:
    mode, make = LIKE_RGB[kind]
    decoded = read(make())
    assert decoded.pixels[0].shape == (32, 32, 3)
    assert decoded.pixels[0].dtype == np.uint8
    assert (decoded.width, decoded.height, decoded.color_mode) == (160, 96, mode)
    assert_near(corners(decoded.pixels[0]), [RED, GREEN, BLUE, YELLOW])


def test_the_first_frame_of_a_moving_gif_counts() -> None:
    data = as_file(quarters(), "GIF", save_all=True, append_images=[Image.new("RGB", (160, 96))] * 3)
    assert_near(corners(read(data).pixels[0]), [RED, GREEN, BLUE, YELLOW])


def test_grey_files_have_three_equal_channels() -> None:
    for format_ in ("JPEG", "PNG"):
        decoded = read(as_file(Image.new("L", (50, 40), 77), format_))
        assert decoded.color_mode == "L"
        assert np.all(decoded.pixels[0] == 77)


def test_black_and_white_files_become_0_and_255() -> None:
    image = Image.new("1", (64, 64), 0)
    image.paste(1, (32, 0, 64, 64))
    pixels = read(as_file(image, "PNG")).pixels[0]
    assert (pixels[16, 2].tolist(), pixels[16, 29].tolist()) == ([0, 0, 0], [255, 255, 255])


def test_16_bit_grey_keeps_its_shades() -> None:
    ramp = np.broadcast_to(np.linspace(0, 65535, 64, dtype=np.uint16), (64, 64))
    decoded = read(as_file(Image.fromarray(np.ascontiguousarray(ramp)), "PNG"), InputSpec(64, 64, "stretch", "nearest"))
    assert decoded.color_mode == "I;16"
    row = decoded.pixels[0][0, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 255)
    assert abs(row[32] - 129) <= 1
    assert np.all(np.diff(row) > 0)


def test_float_tiffs_from_0_to_1_are_scaled_up() -> None:
    values = np.full((40, 40), 0.5, np.float32)
    values[0, 0] = np.nan
    assert read(as_file(Image.fromarray(values), "TIFF")).pixels[0][20, 20].tolist() == [127, 127, 127]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_lies_on_white(mode: str) -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 32, 64))
    file = as_file(image.convert(mode) if mode != "PA" else image.quantize(4), "PNG")
    pixels = read(file).pixels[0]
    assert (pixels[16, 2].tolist(), pixels[16, 29].tolist()) == ([0, 0, 0], [255, 255, 255])


def test_half_transparent_red_on_white_is_pink() -> None:
    pixels = read(as_file(Image.new("RGBA", (32, 32), (255, 0, 0, 128)), "PNG")).pixels[0]
    assert pixels[0, 0].tolist() == [255, 127, 127]


TURNED = {
    1: [RED, GREEN, BLUE, YELLOW],
    2: [GREEN, RED, YELLOW, BLUE],
    3: [YELLOW, BLUE, GREEN, RED],
    4: [BLUE, YELLOW, RED, GREEN],
    5: [RED, BLUE, GREEN, YELLOW],
    6: [BLUE, RED, YELLOW, GREEN],
    7: [YELLOW, GREEN, BLUE, RED],
    8: [GREEN, YELLOW, RED, BLUE],
}
"""How the quarters look once an image stored upright but tagged so is set upright."""


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNED)
def test_every_exif_orientation_is_set_upright(orientation: int, format_: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 95} if format_ in ("JPEG", "WEBP") else {}
    decoded = read(as_file(quarters(), format_, exif=exif, **options))
    assert_near(corners(decoded.pixels[0]), TURNED[orientation])
    assert (decoded.width, decoded.height) == ((96, 160) if orientation >= 5 else (160, 96))


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_leaves_the_picture_as_it_lies(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_near(corners(read(as_file(quarters(), "JPEG", quality=95, exif=exif)).pixels[0]), TURNED[1])


def test_broken_exif_leaves_the_picture_as_it_lies() -> None:
    decoded = read(as_file(quarters(), "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage"))
    assert_near(corners(decoded.pixels[0]), TURNED[1])
    assert (decoded.width, decoded.height) == (160, 96)


def test_sizes_are_given_in_the_order_of_the_specs() -> None:
    specs = [InputSpec(20, 30, "stretch", "nearest"), InputSpec(64, 48, "crop", "lanczos"), SMALL]
    shapes = [pixels.shape for pixels in decode(as_file(quarters(), "PNG"), specs, LIMIT).pixels]
    assert shapes == [(20, 30, 3), (64, 48, 3), (32, 32, 3)]


def test_crop_keeps_the_middle_and_pad_keeps_everything_on_white() -> None:
    wide = Image.new("RGB", (90, 30), RED)
    wide.paste(BLUE, (30, 0, 60, 30))
    file = as_file(wide, "PNG")

    def shown(fit: Fit) -> Pixels:
        return read(file, InputSpec(30, 30, fit, "nearest")).pixels[0]

    assert np.all(shown("crop") == BLUE)
    padded = shown("pad")
    assert (padded[2, 15].tolist(), padded[27, 15].tolist()) == ([255, 255, 255], [255, 255, 255])
    assert (tuple(padded[15, 2]), tuple(padded[15, 15]), tuple(padded[15, 27])) == (RED, BLUE, RED)
    assert tuple(shown("stretch")[29, 0]) == RED


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 1), (3, 900)])
@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_very_long_and_thin_images_still_show_something(size: tuple[int, int], fit: Fit, format_: str) -> None:
    decoded = read(as_file(Image.new("RGB", size, (0, 0, 0)), format_), InputSpec(32, 32, fit, "bilinear"))
    assert (decoded.width, decoded.height) == size
    assert decoded.pixels[0].min() == 0


def test_a_crop_never_reaches_beyond_the_image_by_a_rounding_error() -> None:
    for width, height, spec in (
        (50, 50, InputSpec(44, 31, "crop", "bilinear")),
        (50, 51, InputSpec(75, 20, "crop", "box")),
    ):
        assert read(as_file(scene(width, height), "PNG"), spec).pixels[0].shape == (spec.height, spec.width, 3)


@pytest.mark.parametrize(("width", "height"), [(1600, 1200), (1023, 769), (640, 2000)])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_jpegs_read_at_a_reduced_scale_look_like_those_read_in_full(
    width: int, height: int, fit: Fit, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = as_file(scene(width, height), "JPEG", quality=90, exif=exif)
    spec = InputSpec(96, 96, fit, "bilinear")
    reduced = read(file, spec)
    in_full = decode(file, [spec, InputSpec(1200, 1200, "stretch", "nearest")], LIMIT)
    difference = np.abs(reduced.pixels[0].astype(int) - in_full.pixels[0])
    assert difference.mean() < 0.5
    assert difference.max() <= 6
    assert (reduced.width, reduced.height) == ((width, height) if orientation == 1 else (height, width))
    assert (in_full.width, in_full.height) == (reduced.width, reduced.height)


def test_fine_detail_of_a_large_jpeg_is_averaged_and_not_skipped() -> None:
    grain = np.random.default_rng(5).integers(0, 256, (300, 400, 3), np.uint8)
    file = as_file(Image.fromarray(grain).resize((1600, 1200), Image.Resampling.BICUBIC), "JPEG", quality=90)
    spec = InputSpec(96, 96, "stretch", "bilinear")
    in_full = decode(file, [spec, InputSpec(1200, 1200, "stretch", "nearest")], LIMIT)
    difference = np.abs(read(file, spec).pixels[0].astype(int) - in_full.pixels[0])
    assert difference.mean() < 1
    assert difference.max() <= 5


def test_a_copy_at_another_size_and_quality_has_nearly_the_same_hash() -> None:
    one = read(as_file(scene(900, 700), "JPEG", quality=95)).perceptual_hash
    copy = read(as_file(scene(900, 700).resize((450, 350)), "JPEG", quality=50)).perceptual_hash
    other = read(as_file(quarters(900, 700), "JPEG")).perceptual_hash
    assert (int(one, 16) ^ int(copy, 16)).bit_count() <= 3
    assert (int(one, 16) ^ int(other, 16)).bit_count() >= 12


def test_the_hash_says_where_the_picture_gets_brighter_to_the_right() -> None:
    assert difference_hash(Image.linear_gradient("L").rotate(90).convert("RGB")) == "ffffffffffffffff"
    assert difference_hash(Image.new("RGB", (40, 40), RED)) == "0000000000000000"


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 64, b"<!DOCTYPE html><html>404</html>", b"version https://git-lfs.github.com/spec/v1\n", b"BMW"],
    ids=["nothing", "zeros", "a web page", "a pointer", "a word"],
)
def test_what_is_no_image_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotImage, match=f"{len(data)} bytes") as caught:
        read(data)
    assert caught.value.outcome is Outcome.NOT_IMAGE


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png", "gif", "webp", "tiff", "lzw tiff", "bmp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_half_a_file_is_truncated(kind: str, share: float) -> None:
    whole = {
        "jpeg": lambda: as_file(scene(300, 200), "JPEG"),
        "progressive jpeg": lambda: as_file(scene(300, 200), "JPEG", progressive=True),
        "png": lambda: as_file(scene(300, 200), "PNG"),
        "gif": lambda: as_file(scene(300, 200), "GIF"),
        "webp": lambda: as_file(scene(300, 200), "WEBP"),
        "tiff": lambda: as_file(scene(300, 200), "TIFF"),
        "lzw tiff": lambda: as_file(scene(300, 200), "TIFF", compression="tiff_lzw"),
        "bmp": lambda: as_file(scene(300, 200), "BMP"),
    }[kind]()
    with pytest.raises(Truncated):
        read(whole[: round(len(whole) * share)])


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("length", [16, 40])
def test_a_file_cut_within_its_header_is_truncated(format_: str, length: int) -> None:
    with pytest.raises(Truncated, match="bytes of"):
        read(as_file(scene(300, 200), format_)[:length])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(20, 20, b"no zlib stream at all"), id="png with a broken body"),
        pytest.param(as_file(scene(30, 20), "WEBP")[:40] + b"\xaa" * 500, id="webp with a broken body"),
        pytest.param(b"\xff\xd8\xff" + b"\x41" * 400, id="jpeg with nothing but its first bytes"),
        pytest.param(b"II*\0\x08\0\0\0\0\0\0\0\0\0" + b"\0" * 200, id="tiff without tags"),
    ],
)
def test_a_broken_image_is_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable) as caught:
        read(data)
    assert caught.value.outcome is Outcome.UNDECODABLE


def test_an_image_of_more_pixels_than_allowed_is_refused_before_it_is_read() -> None:
    file = as_file(Image.new("L", (100, 50)), "PNG")
    assert decode(file, [SMALL], 5000).width == 100
    with pytest.raises(TooManyPixels, match="100x50 is more than 4999 pixels"):
        decode(file, [SMALL], 4999)


@pytest.mark.parametrize(("width", "height"), [(12_000, 12_000), (60_000, 60_000), (2_000_000_000, 2_000_000_000)])
def test_a_header_that_promises_too_many_pixels_costs_nothing(width: int, height: int) -> None:
    with pytest.raises(TooManyPixels) as caught:
        read(png(width, height, zlib.compress(b"")))
    assert caught.value.outcome is Outcome.TOO_MANY_PIXELS


STARTS = [as_file(quarters(24, 16), format_) for format_ in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real file with some bytes changed, cut or added."""
    data = bytearray(draw(st.sampled_from(STARTS)))
    for _ in range(draw(st.integers(1, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(1, len(data)))
    return bytes(data[:end]) + draw(st.binary(max_size=8))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=400), damaged()))
@example(STARTS[0])
def test_any_bytes_give_a_picture_or_an_outcome(data: bytes) -> None:
    with suppress(ImageError):
        decoded = decode(data, [SMALL], 1_000_000)
        assert decoded.pixels[0].shape == (32, 32, 3)
        assert len(decoded.perceptual_hash) == 16


MEASURE = """
import re, sys
from eoltag.image.decode import decode
from eoltag.records import InputSpec

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024

files = [open(path, "rb").read() for path in sys.argv[1:]]
spec = InputSpec(32, 32, "stretch", "bilinear")
decode(files[0], [spec], 95_000_000)
before_mb = peak_mb()
shades = [int(decode(data, [spec], 95_000_000).pixels[0][16, 16, 0]) for data in files]
print(peak_mb() - before_mb, *shades)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("picture", "shade"),
    [
        (Image.new("RGBA", (5200, 3900), (10, 20, 30, 128)), 132),
        (Image.fromarray(np.full((3900, 5200), 40_000, np.uint16)), 155),
    ],
    ids=["transparent", "16 bits"],
)
def test_twenty_megapixels_take_less_than_200_megabytes(tmp_path: Path, picture: Image.Image, shade: int) -> None:
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    small.write_bytes(as_file(scene(64, 64), "PNG"))
    large.write_bytes(as_file(picture, "PNG", compress_level=1))
    command = [sys.executable, "-c", MEASURE, str(small), str(large)]
    printed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert (int(printed[0]) < 200, int(printed[2])) == (True, shade), printed


def test_a_tall_picture_is_converted_strip_by_strip_without_seams() -> None:
    ramp = np.repeat(np.linspace(0, 65535, 700, dtype=np.uint16)[:, None], 20, axis=1)
    deep = read(as_file(Image.fromarray(ramp), "PNG"), InputSpec(700, 20, "stretch", "nearest")).pixels[0][:, 5, 0]
    assert np.abs(deep.astype(int) - np.linspace(0, 255, 700)).max() <= 1
    faded = Image.new("RGBA", (20, 700), (0, 0, 0, 0))
    faded.putalpha(Image.fromarray((ramp // 257).astype(np.uint8)))
    clear = read(as_file(faded, "PNG"), InputSpec(700, 20, "stretch", "nearest")).pixels[0][:, 5, 0]
    assert np.abs(clear.astype(int) - np.linspace(255, 0, 700)).max() <= 1
