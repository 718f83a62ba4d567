"""Which pictures show the same, in one of eight orientations: hashes that are near, then sketches that are alike.

Identical hashes are grouped first, so n copies of one photo, or n blank pages, cost one comparison, not n * n.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.cli import log
from train.similar.fingerprints import INVERSE, ORIENTATIONS, Fingerprint
from train.similar.hamming import Hashes, Indices, Lists, TooManyPairs, near_pairs
from train.similar.sketches import Sketches

MOST_PAIRS: Final = 20_000_000
"""Pairs of different hashes that are near, about 3 GB at the peak. Beyond it fewer bits may differ."""


class Matcher:
    """Finds what shows the same as one of some pictures."""

    def __init__(self, fingerprints: Sequence[Fingerprint], distance: int) -> None:
        """distance: of the hashes, in bits of 64."""
        hashes = np.array([one.hashes for one in fingerprints], np.uint64).reshape(-1, ORIENTATIONS)
        cells, cell_of = np.unique(hashes, axis=0, return_inverse=True)
        self._cell_of: Indices = cell_of.reshape(-1).astype(np.int64)
        self._members = Lists.of(self._cell_of, len(cells))
        ones, turns, self._others, self._bits = _links(cells, distance)
        self._links = Lists.of(ones * ORIENTATIONS + turns, len(cells) * ORIENTATIONS)

        has_others = np.zeros(len(cells), np.bool_)
        has_others[ones[ones != self._others]] = True
        self._has_company = (has_others | (self._members.counts > 1))[self._cell_of]
        kept = np.flatnonzero(self._has_company)
        self._row = np.zeros(len(fingerprints), np.int64)
        self._row[kept] = np.arange(len(kept))
        self._kept = kept
        self._sketches = Sketches([fingerprints[at].sketch for at in kept.tolist()]) if len(kept) else None

    def matches(self, at: int, is_asked: Callable[[Indices], NDArray[np.bool_]]) -> dict[int, int]:
        """Every other position that shows what `at` shows -> bits between the hashes, least where several fit.

        is_asked: of positions, (N,), which of them matter; to leave some out saves comparing them.
        """
        found: dict[int, int] = {}
        if self._sketches is None or not self._has_company[at]:
            return found
        for turn in range(ORIENTATIONS):
            links = self._links.values(self._cell_of[[at]] * ORIENTATIONS + turn)
            cells = self._others[links]
            others = self._members.values(cells)
            bits = np.repeat(self._bits[links], self._members.counts[cells])
            is_wanted = is_asked(others) & (others != at)
            others, bits = others[is_wanted], bits[is_wanted]
            if len(others):
                matching = self._kept[self._sketches.matches(int(self._row[at]), turn, self._row[others])]
                is_match = np.isin(others, matching)
                for other, distant in zip(others[is_match].tolist(), bits[is_match].tolist(), strict=True):
                    found[other] = min(distant, found.get(other, distant))
        return found


def _links(hashes: Hashes, distance: int) -> tuple[Indices, Indices, Indices, Indices]:
    """One, turn, other, bits: one row of hashes (N, 8), turned so, is near the other. Both ways, each with itself too.

    What is found from one side holds from both: one turned is the other, the other turned back is the one.
    """
    queries, others = _near(hashes, distance)
    ones, turns = queries // ORIENTATIONS, queries % ORIENTATIONS
    bits = np.bitwise_count(hashes[ones, turns] ^ hashes[others, 0]).astype(np.int64)
    back = np.array(INVERSE)[turns]
    ones, others, turns = np.append(ones, others), np.append(others, ones), np.append(turns, back)
    bits = np.append(bits, bits)
    order = np.lexsort((bits, others, turns, ones))
    ones, turns, others, bits = ones[order], turns[order], others[order], bits[order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(ones) != 0) | (np.diff(turns) != 0) | (np.diff(others) != 0)
    return ones[is_new], turns[is_new], others[is_new], bits[is_new]


def _near(hashes: Hashes, distance: int) -> tuple[Indices, Indices]:
    """Pairs within the distance, or within the largest smaller one that does not give too many."""
    for closer in range(distance, 0, -1):
        try:
            found = near_pairs(hashes.ravel(), hashes[:, 0].copy(), closer, MOST_PAIRS)
        except TooManyPairs:
            continue
        if closer < distance:
            log(f"very many images look alike: only those within {closer} bits are compared, not {distance}")
        return found
    return near_pairs(hashes.ravel(), hashes[:, 0].copy(), 0)
