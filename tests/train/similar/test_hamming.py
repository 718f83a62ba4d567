"""The banded search finds what comparing all with all finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.similar.hamming import LARGEST_DISTANCE, Hashes, near_pairs


def by_brute_force(queries: Hashes, stored: Hashes, distance: int) -> list[tuple[int, int]]:
    """Every pair, one by one, with Python's own numbers."""
    return [
        (at, other)
        for at, one in enumerate(queries.tolist())
        for other, two in enumerate(stored.tolist())
        if (one ^ two).bit_count() <= distance
    ]


def banded(queries: Hashes, stored: Hashes, distance: int) -> list[tuple[int, int]]:
    """The same from the search."""
    at, other = near_pairs(queries, stored, distance)
    return list(zip(at.tolist(), other.tolist(), strict=True))


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=12),
    st.lists(st.tuples(st.integers(0, 99), st.lists(st.integers(0, 63), max_size=14)), max_size=30),
    st.integers(0, LARGEST_DISTANCE),
)
@settings(max_examples=150, deadline=None)
def test_the_search_equals_brute_force_on_hashes_and_changed_copies_of_them(
    hashes: list[int], changes: list[tuple[int, list[int]]], distance: int
) -> None:
    changed = []
    for at, bits in changes:
        value = hashes[at % len(hashes)] if hashes else 0
        for bit in bits:
            value ^= 1 << bit
        changed.append(value)
    stored, queries = np.array(hashes + changed, np.uint64), np.array(changed + hashes, np.uint64)
    assert banded(queries, stored, distance) == by_brute_force(queries, stored, distance)


@pytest.mark.parametrize("distance", [0, 3, 4, 8, 11])
def test_bits_that_differ_are_found_wherever_they_lie(distance: int) -> None:
    rng = np.random.default_rng(distance)
    base = 0x0123_4567_89AB_CDEF
    just, over = [], []
    for _ in range(300):
        bits = rng.permutation(64)
        just.append(base ^ sum(1 << int(bit) for bit in bits[:distance]))
        over.append(base ^ sum(1 << int(bit) for bit in bits[: distance + 1]))
    stored = np.array(just + over, np.uint64)
    assert banded(np.array([base], np.uint64), stored, distance) == [(0, at) for at in range(300)]


def test_many_equal_hashes_are_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.similar.hamming.MOST_CANDIDATES", 100)
    stored = np.array([5] * 40 + [4] * 30 + [2**63] * 20, np.uint64)
    assert banded(stored, stored, 2) == by_brute_force(stored, stored, 2)


def test_a_distance_that_it_is_not_made_for_is_refused() -> None:
    none = np.empty(0, np.uint64)
    with pytest.raises(ValueError, match=r"wanted 0 to 11\. Received: 12"):
        near_pairs(none, none, 12)
    assert banded(none, none, 8) == []
