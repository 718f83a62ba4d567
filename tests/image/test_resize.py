"""Bilinear resizing: what Pillow gives, to within rounding, for every size and part; and what happens without it."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from eoltag.image import decode as decoding
from eoltag.image.decode import decode
from eoltag.image.resize import HAS_SIMD, Source
from eoltag.records import Fit, InputSpec

pytestmark = pytest.mark.skipif(not HAS_SIMD, reason="cykooz-resizer has no binaries for this platform")

SIDES = st.integers(1, 300)
SHARES = st.floats(0, 1)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Neighbours have nothing in common, so that an offset of a fraction of a pixel shows."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def smooth(width: int, height: int) -> Image.Image:
    """A picture with detail of all sizes."""
    return noise(width // 2, height // 2).resize((width, height), Image.Resampling.BICUBIC)


def part(low: float, high: float, side: int) -> tuple[float, float]:
    """At least a hundredth of a pixel of `side`."""
    low, high = sorted((low * side, high * side))
    return (low, high) if high - low >= 0.01 else (0.0, float(side))


@settings(deadline=None, max_examples=200)
@example(width=220, height=275, across=220, down=220, shares=(0.0, 0.995, 0.0, 0.0))
@given(width=SIDES, height=SIDES, across=SIDES, down=SIDES, shares=st.tuples(SHARES, SHARES, SHARES, SHARES))
def test_every_part_in_every_size_is_what_pillow_gives(
    width: int, height: int, across: int, down: int, shares: tuple[float, float, float, float]
) -> None:
    image = noise(width, height)
    (left, right), (upper, lower) = part(*shares[:2], width), part(*shares[2:], height)
    box = (left, upper, right, lower)
    wanted = np.asarray(image.resize((across, down), Image.Resampling.BILINEAR, box)).astype(int)
    found = Source(image.tobytes(), image.size).bilinear((across, down), box)
    assert found.shape == (down, across, 3)
    difference = np.abs(wanted - found)
    assert difference.max() <= 2  # each rounds twice, across and down: now and then both go apart
    assert (difference == 2).sum() <= max(1, difference.size / 10_000)


def test_few_values_differ_from_pillow_and_as_many_up_as_down() -> None:
    image = noise(640, 480)
    found = Source(image.tobytes(), image.size).bilinear((224, 224), (0, 0, 640, 480))
    wanted = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR)).astype(int)
    assert (wanted != found).mean() < 0.25
    assert abs((wanted - found).mean()) < 0.02


def test_lanczos_is_much_as_pillows() -> None:
    image = smooth(640, 480)
    found = Source(image.tobytes(), image.size).lanczos((341, 256), (0, 0, 640, 480))
    wanted = np.asarray(image.resize((341, 256), Image.Resampling.LANCZOS)).astype(int)
    assert found.shape == (256, 341, 3)
    assert np.abs(wanted - found).mean() < 0.5  # Pillow cuts off what overshoots after each of its two passes


@pytest.mark.parametrize("simd", [True, False])
def test_a_model_sees_a_copy_as_it_sees_the_picture(simd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "HAS_SIMD", simd)
    spec = InputSpec(224, 224, "stretch", "bilinear")
    file = BytesIO()
    smooth(800, 600).save(file, "PNG")
    found = decode(file.getvalue(), [spec], 10**6, [], 256)
    assert found.copy is not None
    twice = smooth(800, 600).resize((341, 256), Image.Resampling.BILINEAR)
    blurred, sharp = (
        np.asarray(Image.fromarray(np.asarray(copy)).resize((224, 224), Image.Resampling.BILINEAR)).astype(int)
        for copy in (twice, found.copy)
    )
    far, near = (np.abs(seen - found.pixels[0]).mean() for seen in (blurred, sharp))
    assert near < 0.6 * far


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_decoding_without_the_package_differs_by_one_at_most(
    fit: Fit, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = BytesIO()
    noise(301, 203).save(file, "JPEG", exif=exif)
    spec = InputSpec(96, 80, fit, "bilinear")
    fast = decode(file.getvalue(), [spec], 10**6, [64])
    monkeypatch.setattr(decoding, "HAS_SIMD", False)
    plain = decode(file.getvalue(), [spec], 10**6, [64])
    assert 0 < np.abs(fast.pixels[0].astype(int) - plain.pixels[0]).max() <= 1
    assert fast.pictures[0].shape == plain.pictures[0].shape
    assert np.abs(fast.pictures[0].astype(int) - plain.pictures[0]).max() <= 1
    assert fast.perceptual_hash == plain.perceptual_hash


def test_a_large_picture_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "SIMD_PIXELS", 300 * 200 - 1)
    monkeypatch.setattr(decoding, "Source", None)
    image, file = noise(300, 200), BytesIO()
    image.save(file, "PNG")
    found = decode(file.getvalue(), [InputSpec(64, 64, "stretch", "bilinear")], 10**6).pixels[0]
    assert np.array_equal(found, np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)))


def test_threads_do_not_disturb_each_other() -> None:
    sources = [Source(image.tobytes(), image.size) for image in (noise(640, 480, seed) for seed in range(4))]
    box = (0.0, 0.0, 640.0, 480.0)
    alone = [source.bilinear((224, 224), box) for source in sources]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda number: sources[number % 4].bilinear((224, 224), box), range(200)))
    assert all(np.array_equal(found, alone[number % 4]) for number, found in enumerate(together))
