"""Which published images are audited: so many of each tag, drawn at random."""

import random
from collections.abc import Mapping, Sequence
from typing import Final

FEWEST: Final = 20
"""Images of each tag that are drawn at least, where there are so many: a rare tag wants a bound of its own."""


def allocate(rows: Mapping[str, int], images: int) -> dict[str, int]:
    """Tag -> how many of its images are drawn: FEWEST of each, the rest in proportion. Never more than there are."""
    fewest = min(FEWEST, max(1, images // max(1, len(rows))))
    wanted = {tag: min(number, fewest) for tag, number in rows.items()}
    left = images - sum(wanted.values())
    while left > 0 and (room := {tag: rows[tag] - wanted[tag] for tag in rows if rows[tag] > wanted[tag]}):
        total = sum(room.values())
        for tag, free in sorted(room.items(), key=lambda pair: -pair[1]):
            more = min(free, left, max(1, left * free // total))
            wanted[tag] += more
            left -= more
            total -= free
            if not left or not total:
                break
    return wanted


def draw(tags: Sequence[str], wanted: Mapping[str, int], seed: int) -> list[int]:
    """Places of the drawn rows, in the order in which they are shown: tags mixed, so that none gives itself away."""
    chance = random.Random(seed)
    places: dict[str, list[int]] = {tag: [] for tag in wanted}
    for place, tag in enumerate(tags):
        if tag in places:
            places[tag].append(place)
    drawn = [place for tag, found in places.items() for place in chance.sample(found, min(wanted[tag], len(found)))]
    chance.shuffle(drawn)
    return drawn
