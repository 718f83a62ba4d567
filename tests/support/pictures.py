"""Small pictures for tests: each number another one, none like another."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image


def picture(number: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Coarse noise, so that shrinking and compressing leave it recognisable."""
    cells = np.random.default_rng(number).integers(0, 256, (8, 9, 3), np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """The file."""
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def save(path: Path, number: int, size: tuple[int, int] = (64, 48)) -> Path:
    """A JPEG, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture(number, size)))
    return path


def save_two_classes(folder: Path, of_each: int, second_size: tuple[int, int] = (64, 48)) -> Path:
    """The folders one and two with so many JPEGs each; `second_size` is that of the second class."""
    for number in range(of_each):
        save(folder / "one" / f"{number}.jpg", number)
        save(folder / "two" / f"{number}.jpg", 100 + number, second_size)
    return folder
