"""Which 64-bit hashes differ in few bits, without comparing all with all.

Multi-index hashing (M. Norouzi, A. Punjani, D. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR
2012): of two hashes that differ in at most D bits, at least one of their four 16-bit bands differs in at most D // 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

BANDS: Final = 4
BAND_BITS: Final = 16
LARGEST_DISTANCE: Final = 11
"""Beyond it a band may differ in three bits, which takes five times as many look-ups, and unrelated images match."""

CHUNK: Final = 200_000
"""Queries looked up at once: bounds memory, not speed."""
MOST_CANDIDATES: Final = 4_000_000
"""Compared at once; one query may have more where very many hashes are the same."""


class TooManyPairs(ValueError):
    """More pairs are near than the caller has room for."""


def near_pairs(queries: Hashes, stored: Hashes, distance: int, most: int | None = None) -> tuple[Indices, Indices]:
    """Every pair of positions (in queries, in stored) whose hashes differ in at most `distance` bits, sorted.

    distance: 0 to LARGEST_DISTANCE. most: raises TooManyPairs as soon as more are found, in any one band.
    """
    if not 0 <= distance <= LARGEST_DISTANCE:
        raise ValueError(f"distance: wanted 0 to {LARGEST_DISTANCE}. Received: {distance}")
    masks = [mask for mask in range(1 << BAND_BITS) if mask.bit_count() <= distance // BANDS]
    codes = np.empty(0, np.int64)
    for band in range(BANDS):
        index = Lists.of(_band(stored, band), 1 << BAND_BITS)
        found = [codes]
        count = 0
        for start in range(0, len(queries), CHUNK):
            chunk = queries[start : start + CHUNK]
            for here, there in _candidates(_band(chunk, band), index, masks):
                is_near = np.bitwise_count(chunk[here] ^ stored[there]) <= distance
                found.append((here[is_near] + start) * len(stored) + there[is_near])
                count += len(found[-1])
                if most is not None and count > most:
                    raise TooManyPairs(f"more than {most} pairs of hashes differ in {distance} bits or fewer")
        codes = np.unique(np.concatenate(found))
    return codes // max(len(stored), 1), codes % max(len(stored), 1)


@dataclass(frozen=True, slots=True)
class Lists:
    """Positions by a key from 0 on."""

    positions: Indices
    starts: Indices
    """Where the positions of each key begin."""
    counts: Indices

    @classmethod
    def of(cls, keys: Indices, count: int) -> "Lists":
        """The positions of each of `count` keys in `keys`."""
        counts = np.bincount(keys, minlength=count).astype(np.int64)
        return cls(np.argsort(keys, kind="stable"), np.cumsum(counts) - counts, counts)

    def values(self, keys: Indices) -> Indices:
        """Those of all the keys, one after the other."""
        counts = self.counts[keys]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        values: Indices = self.positions[np.repeat(self.starts[keys], counts) + within]
        return values


def _band(hashes: Hashes, number: int) -> Indices:
    return ((hashes >> np.uint64(number * BAND_BITS)) & np.uint64(0xFFFF)).astype(np.int64)


def _candidates(band: Indices, index: Lists, masks: list[int]) -> Iterator[tuple[Indices, Indices]]:
    """Pairs whose band differs in just the bits of one of the masks."""
    for mask in masks:
        wanted = band ^ mask
        until = np.cumsum(index.counts[wanted])
        if not len(until) or not until[-1]:
            continue
        cuts = np.searchsorted(until, np.arange(MOST_CANDIDATES, until[-1], MOST_CANDIDATES), side="right")
        for part in np.split(np.arange(len(band)), np.unique(cuts)):
            yield np.repeat(part, index.counts[wanted[part]]), index.values(wanted[part])
