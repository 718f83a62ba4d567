"""What of an image file is compared to find its copies: its bytes, and its picture in all eight orientations."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeVar

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eoltag.decode import decode
from eoltag.errors import ImageError
from eoltag.records import Decoded, InputSpec, Pixels
from eoltag.settings import DecodeSettings
from train.command import cores
from train.files import read_image_file
from train.hamming import Hashes

Number = TypeVar("Number", bound=np.generic)

SPEC: Final = InputSpec(64, 64, "stretch", "box")
"""Twice what the hash sees: JPEG can then be decoded at a reduced scale."""
SKETCH_SIDE_PX: Final = 32

ORIENTATIONS: Final = 8
"""Four right-angle turns, each as it is and mirrored."""
INVERSE: Final = (0, 3, 2, 1, 4, 5, 6, 7)
"""The orientation that undoes each: to mirror twice is to do nothing."""

WORTH_A_PROCESS: Final = 400
"""Images below which another process does not pay for its start."""
CHUNK: Final = 32


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One image file that could be decoded."""

    path: Path
    sha256: str
    bytes: int
    width: int
    height: int
    color_mode: str
    perceptual_hash: str
    """As in the tables and manifests, see eoltag.decode.difference_hash."""
    hashes: Hashes
    """64-bit pHash of each orientation, (8,)."""
    sketch: Pixels
    """The picture as it stands, (32, 32, 3)."""

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sorts the copy to keep first: most pixels, then most bytes, then the first path."""
        return -self.width * self.height, -self.bytes, str(self.path)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One file that is no image, or a broken one."""

    path: Path
    outcome: str
    detail: str


def orient(pixels: NDArray[Number], orientation: int) -> NDArray[Number]:
    """An (H, W) or (H, W, 3) picture in one of the eight orientations; 0 is as it stands."""
    turned = np.rot90(pixels, orientation % 4)
    return turned if orientation < 4 else np.fliplr(turned)


def read_fingerprints(paths: Sequence[Path], max_pixels: int | None = None) -> Iterator[Fingerprint | Unreadable]:
    """One for every file, in order; on all cores where there are many."""
    one = partial(read_fingerprint, max_pixels=max_pixels or DecodeSettings().max_pixels)
    workers = min(cores(), len(paths) // WORTH_A_PROCESS)
    if workers < 2:
        yield from map(one, paths)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(one, paths, chunksize=CHUNK)


def read_fingerprint(path: Path, max_pixels: int) -> Fingerprint | Unreadable:
    """Of one file, decoded as everywhere in eoltag."""
    try:
        data = read_image_file(path)
        decoded = decode(data, [SPEC], max_pixels)
    except ImageError as problem:
        return Unreadable(path, problem.outcome, problem.detail)
    return _fingerprint(path, data, decoded)


def _fingerprint(path: Path, data: bytes, decoded: Decoded) -> Fingerprint:
    sketch = Image.fromarray(decoded.pixels[0]).reduce(SPEC.width // SKETCH_SIDE_PX)
    grey = np.asarray(sketch.convert("L"))
    return Fingerprint(
        path,
        hashlib.sha256(data).hexdigest(),
        len(data),
        decoded.width,
        decoded.height,
        decoded.color_mode,
        decoded.perceptual_hash,
        np.array([_phash(orient(grey, orientation)) for orientation in range(ORIENTATIONS)], np.uint64),
        np.asarray(sketch),
    )


def _phash(grey: NDArray[np.uint8]) -> int:
    """Hashed anew in each orientation: the median that the bits are cut at changes with it."""
    bits = imagehash.phash(Image.fromarray(grey)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
