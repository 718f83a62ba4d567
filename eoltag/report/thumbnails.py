"""Thumbnails for the report, made of the pixels that a model saw: no second fetch, no second decode."""

from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from eoltag.records import Fit, Pixels

SIDE_PX: Final = 160
"""The longer side of a thumbnail, at most; no image is enlarged."""
QUALITIES: Final = (70, 45, 20)
"""JPEG qualities; the next one is taken where a file is larger than MOST_BYTES. 160 x 160 photos take 4.4 kB at 70."""
MOST_BYTES: Final = 6_000


@dataclass(slots=True, eq=False)
class Picture:
    """An image as the model saw it: pixels until it is encoded, then a JPEG."""

    pixels: Pixels
    """(H, W, 3); empty once it is encoded."""
    width: int
    height: int
    """Size of the upright image."""
    fit: Fit
    """How the image became what the model saw."""
    jpeg: bytes = b""

    @classmethod
    def of_jpeg(cls, jpeg: bytes) -> "Picture":
        """A thumbnail that was made before."""
        return cls(np.empty((0, 0, 3), np.uint8), 0, 0, "stretch", jpeg)

    def encode(self) -> bytes:
        """The thumbnail, made once."""
        if not self.jpeg:
            self.jpeg = encode(self.pixels, self.width, self.height, self.fit)
            self.pixels = self.pixels[:0].copy()
        return self.jpeg


def encode(pixels: Pixels, width: int, height: int, fit: Fit) -> bytes:
    """A JPEG of at most SIDE_PX and, but for pure noise, MOST_BYTES, in the image's shape, or that of its crop.

    pixels: (H, W, 3), what the model saw. width, height: size of the upright image. fit: how one became the other.
    """
    image = Image.fromarray(pixels)
    if fit == "crop":
        width, height = image.size
    elif fit == "pad":
        image = _without_padding(image, width, height)
    scale = min(SIDE_PX, max(image.size)) / max(width, height)
    small = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)
    data = b""
    for quality in QUALITIES:
        file = BytesIO()
        small.save(file, "JPEG", quality=quality)
        data = file.getvalue()
        if len(data) <= MOST_BYTES:
            break
    return data


def _without_padding(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of the sheet, where decode has laid the picture."""
    scale = min(image.width / width, image.height / height)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    left, upper = (image.width - across) // 2, (image.height - down) // 2
    return image.crop((left, upper, left + across, upper + down))
