"""What of an image file is compared to find its copies: its bytes, and its picture in all eight orientations."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eoltag.errors import ImageError
from eoltag.records import InputSpec, Pixels
from train.images.decoding import decode_bytes
from train.images.files import read_image_file
from train.images.parallel import in_chunks
from train.records import Unreadable
from train.similar.hamming import Hashes

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


class Fingerprint(NamedTuple):
    """What of a picture is compared with others, to find its copies."""

    hashes: Hashes
    """64-bit pHash of each orientation, (8,)."""
    sketch: Pixels
    """The picture as it stands, (32, 32, 3)."""


@dataclass(frozen=True, slots=True)
class FingerprintedImage:
    """One image file that could be decoded."""

    path: Path
    sha256: str
    bytes: int
    width: int
    height: int
    color_mode: str
    perceptual_hash: str
    """As in the tables and manifests, see eoltag.image.decode.difference_hash."""
    fingerprint: Fingerprint

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sorts the copy to keep first: most pixels, then most bytes, then the first path."""
        return -self.width * self.height, -self.bytes, str(self.path)


def orient(pixels: NDArray[Number], orientation: int) -> NDArray[Number]:
    """An (H, W) or (H, W, 3) picture in one of the eight orientations; 0 is as it stands."""
    turned = np.rot90(pixels, orientation % 4)
    return turned if orientation < 4 else np.fliplr(turned)


def read_fingerprints(paths: Sequence[Path]) -> Iterator[FingerprintedImage | Unreadable]:
    """One for every file, in order; on all cores where there are many."""
    for found in in_chunks(_read_some, paths, chunk=CHUNK, worth=WORTH_A_PROCESS):
        yield from found


def _read_some(paths: Sequence[Path]) -> list[FingerprintedImage | Unreadable]:
    return [read_fingerprint(path) for path in paths]


def read_fingerprint(path: Path) -> FingerprintedImage | Unreadable:
    """The fingerprint of one file, decoded as everywhere in eoltag."""
    try:
        data = read_image_file(path)
        decoded = decode_bytes(data, [SPEC])
    except ImageError as problem:
        return Unreadable(path, problem.outcome, problem.detail)
    return FingerprintedImage(
        path,
        hashlib.sha256(data).hexdigest(),
        len(data),
        decoded.width,
        decoded.height,
        decoded.color_mode,
        decoded.perceptual_hash,
        fingerprint_of(decoded.pixels[0]),
    )


def fingerprint_of(pixels: Pixels) -> Fingerprint:
    """The fingerprint of a picture that was decoded by SPEC, (64, 64, 3)."""
    sketch = Image.fromarray(pixels).reduce(SPEC.width // SKETCH_SIDE_PX)
    return Fingerprint(_phashes(np.asarray(sketch.convert("L"))), np.asarray(sketch))


def _phashes(grey: NDArray[np.uint8]) -> Hashes:
    """pHash of (32, 32) grey cells in each orientation, (8,): cut anew at the median of each, which changes with it."""
    bits = [imagehash.phash(Image.fromarray(orient(grey, number))).hash for number in range(ORIENTATIONS)]
    return np.packbits(np.stack(bits).reshape(ORIENTATIONS, -1), axis=1).view(">u8").ravel().astype(np.uint64)
