"""Groups of images that show the same picture: same bytes, or alike in one of eight orientations."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.similar.fingerprints import Fingerprint, FingerprintedImage
from train.similar.hamming import Indices
from train.similar.matching import Matcher

DISTANCE: Final = 8
"""Bits of 64 in which the hashes of copies may differ.

Copies of 200 photos (flowers, cars, tanks), resized, recompressed to quality 15, turned and mirrored, lie at 0 to 6;
two photos of different things begin to match at 8."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One image that shows what the kept one shows."""

    image: FingerprintedImage
    distance: int | None
    """Bits between the hashes; None where the bytes are the same."""


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """The image to keep, and every one that is near it. Copies need not be near each other."""

    kept: FingerprintedImage
    copies: tuple[Duplicate, ...]

    @property
    def members(self) -> tuple[FingerprintedImage, ...]:
        """All images, the kept one first."""
        return self.kept, *(copy.image for copy in self.copies)


def find_groups(images: Iterable[FingerprintedImage], distance: int | None = DISTANCE) -> list[DuplicateGroup]:
    """Every group of two or more, by the path of the kept image; no image is in two.

    The best image (see FingerprintedImage.rank) takes all that are near it, then the best of those left over. So what
    is dropped is near what is kept for it: a chain of small differences drops nothing at its far end.
    distance: of the hashes, in bits of 64; None asks for the same bytes only.
    """
    same: dict[str, list[FingerprintedImage]] = defaultdict(list)
    for image in sorted(images, key=lambda image: image.rank):
        same[image.sha256].append(image)
    different = [copies[0] for copies in same.values()]
    matcher = None if distance is None else Matcher([image.fingerprint for image in different], distance)
    is_free = np.ones(len(different), np.bool_)
    groups = []
    for at, image in enumerate(different):
        if not is_free[at]:
            continue
        copies = [Duplicate(copy, None) for copy in same[image.sha256][1:]]
        near = matcher.matches(at, lambda others: is_free[others]) if matcher else {}
        for other, bits in sorted(near.items()):
            copies += [Duplicate(copy, bits) for copy in same[different[other].sha256]]
            is_free[other] = False
        is_free[at] = False
        if copies:
            groups.append(DuplicateGroup(image, tuple(copies)))
    return sorted(groups, key=lambda group: str(group.kept.path))


def groups_of(
    fingerprints: Sequence[Fingerprint | None],
    keys: Iterable[Sequence[Hashable | None]] | None = None,
    distance: int = DISTANCE,
) -> list[int]:
    """A group number for each image; equal numbers belong together, by any chain of the links below. For splits.

    fingerprints: linked where they show the same picture, see train.similar.matching; None is linked with nothing.
    keys: per image, whatever links it with every other image that has the same value in the same place, such as its
    sha256 or its page; None links nothing.
    distance: of the hashes, in bits of 64. The number of a group is the position of its first image.
    """
    groups = _Groups(len(fingerprints))
    first_with: dict[tuple[int, Hashable], int] = {}
    for at, values in enumerate(keys or ()):
        for place, value in enumerate(values):
            if value is not None:
                groups.join(first_with.setdefault((place, value), at), at)
    places = [at for at, fingerprint in enumerate(fingerprints) if fingerprint is not None]
    matcher = Matcher([fingerprint for fingerprint in fingerprints if fingerprint is not None], distance)
    place_of = np.array(places, np.int64)
    for number, at in enumerate(places):
        later = matcher.matches(number, lambda found: (found > number) & groups.are_apart(at, place_of[found]))  # noqa: B023
        for other in later:
            groups.join(at, places[other])
    return groups.numbers()


class _Groups:
    """Each position alone at first; joined by giving the smaller group the number of the larger."""

    def __init__(self, count: int) -> None:
        self._number = np.arange(count)
        self._members = {at: [at] for at in range(count)}

    def join(self, one: int, other: int) -> None:
        """Nothing changes where they are together already."""
        small, large = sorted((int(self._number[one]), int(self._number[other])), key=lambda n: len(self._members[n]))
        if small != large:
            moved = self._members.pop(small)
            self._number[moved] = large
            self._members[large] += moved

    def are_apart(self, one: int, others: Indices) -> NDArray[np.bool_]:
        """Whether each of the others is in another group, (N,)."""
        is_apart: NDArray[np.bool_] = self._number[others] != self._number[one]
        return is_apart

    def numbers(self) -> list[int]:
        """For each position, the first position of its group."""
        first = {number: min(members) for number, members in self._members.items()}
        return [first[number] for number in self._number.tolist()]
