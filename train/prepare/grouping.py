"""Which images belong together, so that a split does not tear them apart."""

from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_DISTANCE: Final = 15
"""Of hashes that can be searched for: bands get too narrow to tell images apart beyond."""

_BITS: Final = 64

Hashes = NDArray[np.uint64]


def group_images(
    perceptual_hashes: Sequence[str | None], keys: Iterable[Sequence[Hashable | None]], max_distance: int
) -> list[int]:
    """A group number for each image; equal numbers belong together, by any chain of the links below.

    perceptual_hashes: linked where they differ in max_distance bits or fewer; None is linked with nothing.
    keys: per image, whatever links it with every other image that has the same value in the same place.
    """
    groups = _Groups(len(perceptual_hashes))
    first_with: dict[tuple[int, Hashable], int] = {}
    for at, values in enumerate(keys):
        for place, value in enumerate(values):
            if value is not None:
                groups.join(first_with.setdefault((place, value), at), at)
    hashed = [at for at, text in enumerate(perceptual_hashes) if text]
    numbers = np.array([int(perceptual_hashes[at] or "0", 16) for at in hashed], np.uint64)
    for one, other in near_pairs(numbers, max_distance).tolist():
        groups.join(hashed[one], hashed[other])
    return [groups.root(at) for at in range(len(perceptual_hashes))]


def near_pairs(hashes: Hashes, max_distance: int) -> NDArray[np.int64]:
    """Pairs of positions, (N, 2), that link all hashes at a Hamming distance up to max_distance; equal ones in a chain.

    Two such hashes agree in one of max_distance + 1 bands of bits, so only those that share a band are compared.
    """
    different, first, same_as = np.unique(hashes, return_index=True, return_inverse=True)
    equal = np.stack([first[same_as], np.arange(len(hashes))], axis=1)
    found = [equal[equal[:, 0] != equal[:, 1]]]
    edges = np.linspace(0, _BITS, max_distance + 2).round().astype(int).tolist()
    for low, high in pairwise(edges):
        mask = np.uint64(((1 << (high - low)) - 1) << low)
        bands = different & mask
        order = np.argsort(bands, kind="stable")
        starts = np.flatnonzero(np.diff(bands[order], prepend=~bands[order[:1]])) if len(order) else order
        shared = [members for members in np.split(order, starts[1:]) if len(members) > 1]
        found += [first[_near(different, members, max_distance)] for members in shared]
    return np.concatenate(found).astype(np.int64)


def _near(hashes: Hashes, members: NDArray[np.int64], max_distance: int) -> NDArray[np.int64]:
    """Pairs among `members` that are near, (N, 2), one row of the comparison at a time."""
    pairs = [np.empty((0, 2), np.int64)]
    for at in range(len(members) - 1):
        rest = members[at + 1 :]
        near = rest[np.bitwise_count(hashes[rest] ^ hashes[members[at]]) <= max_distance]
        pairs.append(np.stack([np.full(len(near), members[at]), near], axis=1))
    return np.concatenate(pairs)


class _Groups:
    """Union by the smallest position."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, at: int) -> int:
        while self._parent[at] != at:
            self._parent[at] = self._parent[self._parent[at]]
            at = self._parent[at]
        return at

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low
