"""Image files decoded in threads, some way ahead of whoever takes them. Pillow decodes outside the GIL."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from eoltag.errors import ImageError
from eoltag.image.decode import decode
from eoltag.records import Decoded, InputSpec, Pixels
from eoltag.settings import DecodeSettings
from train.cli import cores, log, progress
from train.images.files import read_image_file

T = TypeVar("T")
R = TypeVar("R")

AHEAD: Final = 64
"""Decoded images that may wait for whoever takes them: bounds memory, not speed."""


def decode_ahead(
    images: Iterable[T], decode_one: Callable[[T], R], total: int | None, label: str, ahead: int = AHEAD
) -> Iterator[tuple[T, R | ImageError]]:
    """Each image with what `decode_one` makes of it, or with the ImageError that it raises, in order.

    At most `ahead` images are taken before the first of them is given back. total and label are for the progress bar.
    """

    def attempt(image: T) -> R | ImageError:
        try:
            return decode_one(image)
        except ImageError as problem:
            return problem

    def results() -> Iterator[tuple[T, R | ImageError]]:
        waiting: deque[tuple[T, Future[R | ImageError]]] = deque()
        with ThreadPoolExecutor(cores()) as pool:
            for image in images:
                waiting.append((image, pool.submit(attempt, image)))
                if len(waiting) >= ahead:
                    first, result = waiting.popleft()
                    yield first, result.result()
            for first, result in waiting:
                yield first, result.result()

    return progress(results(), total, "image", label)


def decode_bytes(data: bytes, specs: Sequence[InputSpec], sides_px: Sequence[int | None] = ()) -> Decoded:
    """The image, with the limits that a job has by itself; see eoltag.image.decode. Raises ImageError."""
    return decode(data, specs, DecodeSettings().max_pixels, sides_px)


def decode_file(path: Path, specs: Sequence[InputSpec], sides_px: Sequence[int | None] = ()) -> Decoded:
    """The image of a file. Raises ImageError."""
    return decode_bytes(read_image_file(path), specs, sides_px)


def thumbnail(path: Path, side_px: int) -> Pixels:
    """The whole picture in a square, on white (side_px, side_px, 3). Raises ImageError."""
    return decode_file(path, [InputSpec(side_px, side_px, "pad", "box")]).pixels[0]


def log_skipped(path: object, outcome: str, detail: str | None) -> None:
    """Log, in the words of every verb, that an image is left out and why."""
    log(f"skipped {path}: {outcome}, {detail}")
