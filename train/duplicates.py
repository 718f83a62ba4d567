"""Groups of images that show the same picture: same bytes, or alike in one of eight orientations."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.fingerprints import INVERSE, ORIENTATIONS, Fingerprint, orient
from train.hamming import Hashes, Indices, near_pairs

DISTANCE: Final = 8
"""Of 64 bits. Copies resized, recompressed to quality 15, turned and mirrored of 200 photos (flowers, cars, tanks) lie
at 0 to 6; two photos of different things begin to match at 8."""

LEAST_AGREEMENT: Final = 0.93
"""Correlation of the middling detail of two sketches whose hashes are near. Of 2,500 copies made that way all but one
have more; of photos that merely look alike, herbarium sheets and specimen labels of one layout, the most has 0.92."""

MOST_DIFFERENCE: Final = 40
"""In any one colour of any one place of the softened sketches, of 255. Those copies stay below; most maps drawn on one
outline differ by more, and agree in every detail otherwise."""

FLAT: Final = 0.5
"""Standard deviation of the detail, of 255, below which it is noise and only colours count."""
FLAT_DIFFERENCE: Final = 12

FINE: Final = (0.25, 0.5, 0.25)
COARSE: Final = (0.2, 0.2, 0.2, 0.2, 0.2)
"""Weights of cells in a row: what lies between the two is detail that neither noise nor compression changes much."""

CHUNK: Final = 4_000
"""Pairs compared at once: bounds memory."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One image that shows what the kept one shows."""

    image: Fingerprint
    distance: int | None
    """Bits between the hashes; None where the bytes are the same."""


@dataclass(frozen=True, slots=True)
class Group:
    """The image to keep, and every one that is near it. Copies need not be near each other."""

    kept: Fingerprint
    copies: tuple[Copy, ...]

    @property
    def members(self) -> tuple[Fingerprint, ...]:
        """All images, the kept one first."""
        return self.kept, *(copy.image for copy in self.copies)


def find_groups(images: Iterable[Fingerprint], distance: int | None = DISTANCE) -> list[Group]:
    """Every group of two or more, by the path of the kept image; no image is in two.

    The best image (see Fingerprint.rank) takes all that are near it, then the best of those left over. So whatever is
    dropped is near what is kept for it: a chain of small differences drops nothing at its far end.
    distance: of the hashes, in bits of 64; None asks for the same bytes only.
    """
    same: dict[str, list[Fingerprint]] = defaultdict(list)
    for image in sorted(images, key=lambda image: image.rank):
        same[image.sha256].append(image)
    different = [copies[0] for copies in same.values()]
    near = {} if distance is None else _neighbours(different, distance)
    taken: set[int] = set()
    groups = []
    for at, image in enumerate(different):
        if at in taken:
            continue
        copies = [Copy(copy, None) for copy in same[image.sha256][1:]]
        for other in sorted(near.get(at, {}).keys() - taken):
            copies += [Copy(copy, near[at][other]) for copy in same[different[other].sha256]]
            taken.add(other)
        taken.add(at)
        if copies:
            groups.append(Group(image, tuple(copies)))
    return sorted(groups, key=lambda group: str(group.kept.path))


def linked(images: Sequence[Fingerprint], distance: int = DISTANCE) -> list[tuple[int, int]]:
    """Every two positions, the first smaller, whose images are near or the same: for splits, where chains do count."""
    near = _neighbours(images, distance)
    return [(at, other) for at in range(len(images)) for other in sorted(near[at]) if at < other]


def _neighbours(images: Sequence[Fingerprint], distance: int) -> dict[int, dict[int, int]]:
    """Position -> near positions -> bits between them, both ways."""
    near: dict[int, dict[int, int]] = defaultdict(dict)
    if not images:
        return near
    one, orientations, other, bits = _candidates(np.stack([image.hashes for image in images]), distance)
    is_alike = _alike(images, one, orientations, other)
    found = (values[is_alike].tolist() for values in (one, other, bits))
    for at, there, distant in zip(*found, strict=True):
        near[at][there] = near[there][at] = min(distant, near[at].get(there, distant))
    return near


def _candidates(hashes: Hashes, distance: int) -> tuple[Indices, Indices, Indices, Indices]:
    """Position, orientation, higher position and bits of every two images whose hashes are near, in that orientation.

    hashes: (N, 8). What is found from both sides is one pair: the first image turned one way is the second, or the
    second turned back is the first.
    """
    queries, others = near_pairs(hashes.ravel(), hashes[:, 0].copy(), distance)
    turned, orientations = queries // ORIENTATIONS, queries % ORIENTATIONS
    bits = np.bitwise_count(hashes[turned, orientations] ^ hashes[others, 0]).astype(np.int64)
    is_back = turned > others
    orientations = np.where(is_back, np.array(INVERSE)[orientations], orientations)
    low, high = np.minimum(turned, others), np.maximum(turned, others)
    order = np.lexsort((bits, high, orientations, low))
    order = order[low[order] != high[order]]
    low, orientations, high, bits = low[order], orientations[order], high[order], bits[order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(low) != 0) | (np.diff(orientations) != 0) | (np.diff(high) != 0)
    return low[is_new], orientations[is_new], high[is_new], bits[is_new]


def _alike(images: Sequence[Fingerprint], turned: Indices, orientations: Indices, others: Indices) -> NDArray[np.bool_]:
    """Whether the sketches of each pair are, the first one turned."""
    result = np.zeros(len(turned), np.bool_)
    for start in range(0, len(turned), CHUNK):
        part = slice(start, start + CHUNK)
        pairs = zip(turned[part].tolist(), orientations[part].tolist(), others[part].tolist(), strict=True)
        sketches = [(orient(images[one].sketch, turn), images[other].sketch) for one, turn, other in pairs]
        left, right = (np.stack(side).astype(np.float32) for side in zip(*sketches, strict=True))
        result[part] = _same_picture(left, right)
    return result


def _same_picture(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Of pairs of sketches, (N, H, W, 3) each."""
    left, right = _smooth(left, FINE), _smooth(right, FINE)
    difference = np.abs(left - right).max(axis=(1, 2, 3))
    one, other = _detail(left), _detail(right)
    spread_one, spread_other = one.std(axis=1), other.std(axis=1)
    is_flat = np.minimum(spread_one, spread_other) < FLAT
    agreement = (one * other).mean(axis=1) / np.maximum(spread_one * spread_other, FLAT**2)
    is_same: NDArray[np.bool_] = np.where(
        is_flat, difference <= FLAT_DIFFERENCE, (agreement >= LEAST_AGREEMENT) & (difference <= MOST_DIFFERENCE)
    )
    return is_same


def _detail(sketches: NDArray[np.float32]) -> NDArray[np.float32]:
    """How each grey cell differs from its surroundings, (N, H * W), around 0."""
    grey = sketches.mean(axis=3, keepdims=True)
    detail = (grey - _smooth(grey, COARSE)).reshape(len(grey), -1)
    centred: NDArray[np.float32] = detail - detail.mean(axis=1, keepdims=True)
    return centred


def _smooth(sketches: NDArray[np.float32], weights: Sequence[float]) -> NDArray[np.float32]:
    """Each cell as the weighted mean of itself and its neighbours, down and across; beyond the edge lies more edge."""
    for axis in (1, 2):
        reach, length = len(weights) // 2, sketches.shape[axis]
        wide = np.pad(sketches, [(reach, reach) if at == axis else (0, 0) for at in range(4)], mode="edge")
        moved = [np.take(wide, range(start, start + length), axis) for start in range(len(weights))]
        sketches = np.tensordot(np.array(weights, np.float32), np.stack(moved), 1)
    return sketches
