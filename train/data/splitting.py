"""Train, validation and test: each class in the shares asked for, no group in two of them."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from eoltag.errors import DataError
from train.records import Split

Shares = tuple[float, ...]

_TOLERANCE = 1e-6


def parse_shares(text: str) -> Shares:
    """`0.8,0.1,0.1` for train, val and test, or two numbers for train and val. Raises DataError."""
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if not 2 <= len(shares) <= len(Split) or min(shares) <= 0 or abs(sum(shares) - 1) > _TOLERANCE:
        raise DataError(f"--split: wanted two or three shares that sum to 1, as 0.8,0.1,0.1. Received: {text!r}")
    return shares


def split_groups(strata: Sequence[Sequence[str]], groups: Sequence[int], shares: Shares, seed: int) -> list[Split]:
    """The split of each image. Big groups are placed first, each where its strata lack most; the rest fills up.

    strata, groups: per image, in an order that does not depend on chance. An image is in one stratum, its class, or in
    several. Every class with as many groups as there are splits gets at least one image into each.
    """
    members: defaultdict[int, list[int]] = defaultdict(list)
    for at, group in enumerate(groups):
        members[group].append(at)
    sizes = Counter(stratum for of_image in strata for stratum in of_image)
    lacking = _targets(sizes, shares)
    splits = list(Split)
    chosen = [Split.TRAIN] * len(strata)
    together = list(members.values())
    shuffled = [together[at] for at in np.random.default_rng(seed).permutation(len(together)).tolist()]
    for group_members in sorted(shuffled, key=len, reverse=True):
        counted = Counter(stratum for at in group_members for stratum in strata[at])
        # By share of the stratum, so that rare ones count as much as frequent ones where an image is in both.
        wants = [
            sum(count * lacking[stratum][split] / sizes[stratum] for stratum, count in counted.items())
            for split in range(len(shares))
        ]
        best = wants.index(max(wants))
        for stratum, count in counted.items():
            lacking[stratum][best] -= count
        for at in group_members:
            chosen[at] = splits[best]
    return chosen


def straddling(groups: Sequence[int], splits: Sequence[Split | None]) -> int:
    """How many groups have images in two splits."""
    seen: defaultdict[int, set[Split | None]] = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        seen[group].add(split)
    return sum(1 for found in seen.values() if len(found) > 1)


def _targets(counts: Counter[str], shares: Shares) -> dict[str, list[int]]:
    """Images of each class per split: largest remainders, and one at least where there are enough."""
    targets = {}
    for label, count in counts.items():
        exact = [share * count for share in shares]
        whole = [int(number + _TOLERANCE) for number in exact]
        by_remainder = sorted(range(len(shares)), key=lambda at: whole[at] - exact[at])
        for at in by_remainder[: count - sum(whole)]:
            whole[at] += 1
        for at in range(len(shares)):
            if whole[at] == 0 and count >= len(shares):
                whole[at] += 1
                whole[whole.index(max(whole))] -= 1
        targets[label] = whole
    return targets
