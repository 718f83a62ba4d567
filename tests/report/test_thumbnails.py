"""Thumbnails: in the shape of what the model was shown, and small."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from eoltag.image.decode import decode
from eoltag.records import Fit, InputSpec
from eoltag.report.thumbnails import MOST_BYTES, SIDE_PX, Picture, encode
from tests.support.pictures import encoded, picture


@pytest.mark.parametrize(
    ("fit", "size"), [("stretch", (160, 80)), ("crop", (160, 160)), ("pad", (160, 80))], ids=lambda value: str(value)
)
def test_a_thumbnail_has_the_shape_of_what_the_model_was_shown(fit: Fit, size: tuple[int, int]) -> None:
    file = encoded(picture(3, (600, 300)))
    pixels = decode(file, [InputSpec(224, 224, fit, "bilinear")], 10**7).pixels[0]
    jpeg = encode(pixels, 600, 300, fit)
    shown = Image.open(BytesIO(jpeg))
    assert (shown.format, shown.size) == ("JPEG", size)
    if fit != "crop":
        wanted = np.asarray(picture(3, (600, 300)).resize(size)).astype(int)
        assert abs(np.asarray(shown).astype(int) - wanted).mean() < 6


def test_no_picture_is_enlarged_or_large() -> None:
    small = Image.open(BytesIO(encode(np.asarray(picture(1, (32, 32))), 4000, 4000, "stretch")))
    assert small.size == (32, 32)
    thin = Image.open(BytesIO(encode(np.asarray(picture(1, (96, 96))), 10_000, 3, "stretch")))
    assert thin.size == (96, 1)
    noise = np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)
    assert max(Image.open(BytesIO(encode(noise, 10, 10, "stretch"))).size) == SIDE_PX
    detailed = np.asarray(picture(2, (224, 224)).resize((224, 224))) ^ (noise >> 3)
    assert len(encode(detailed, 224, 224, "stretch")) <= MOST_BYTES


def test_a_picture_is_encoded_once_and_lets_its_pixels_go() -> None:
    pixels = np.asarray(picture(1, (64, 48)))
    one = Picture(pixels, 128, 96, "stretch")
    assert one.encode() == encode(pixels, 128, 96, "stretch")
    assert one.pixels.nbytes == 0
    assert one.encode() is one.jpeg
