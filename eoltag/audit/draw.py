"""Which published images are audited: so many of each tag, drawn at random."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

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


def draw(tags: Sequence[Sequence[str]], wanted: Mapping[str, int], seed: int) -> dict[int, list[str]]:
    """Place of each drawn row -> the tags that it was drawn for. tags: of each row, one or several.

    All rows are put into one random order, and of each tag the first `wanted` rows in it are drawn. So the rows of a
    tag are a simple random sample of all that have it, however often tags go together, and a row that is among the
    first of several of its tags serves them all (samples coordinated by one random order: Fan, Muller and Rezucha,
    JASA 57 (1962); Ohlsson, "Coordination of samples using permanent random numbers", 1995). A row that was drawn for a
    rare tag says nothing of another one that it has: such rows are no random draw of that.
    The rows come in another random order, in which no tag gives itself away.
    """
    chance, left = np.random.default_rng(seed), {tag: number for tag, number in wanted.items() if number}
    drawn: dict[int, list[str]] = {}
    for place in chance.permutation(len(tags)).tolist():
        if not left:
            break
        if mine := [tag for tag in tags[place] if tag in left]:
            drawn[place] = mine
            left = {tag: number - (tag in mine) for tag, number in left.items() if number > (tag in mine)}
    shown = list(drawn)
    return {shown[at]: drawn[shown[at]] for at in chance.permutation(len(shown)).tolist()}


def draw_images(
    tags: Sequence[Sequence[str]], rows: Mapping[str, int], images: int, seed: int
) -> tuple[dict[int, list[str]], dict[str, int]]:
    """What `draw` gives, and how many rows were wanted of each tag, for so many images or a few less in all.

    rows: of each tag. Where images serve several tags, more of each tag can be drawn.
    """
    total, wanted = images, allocate(rows, images)
    drawn = draw(tags, wanted, seed)
    while len(drawn) < images and total < sum(rows.values()):
        total += images - len(drawn)
        more = allocate(rows, total)
        found = draw(tags, more, seed)
        if len(found) > images:
            break
        drawn, wanted = found, more
    return drawn, wanted


def strata_of(tags: Sequence[Sequence[str]], wanted: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Stratum -> tag -> its rows with this tag; all of them have the tag that the stratum is called by.

    A row is in the stratum of that tag of it of which the largest share is drawn (see stratum_of), so that in a stratum
    every row was as likely to be drawn as any other.
    """
    rates = rates_of(Counter(tag for each in tags for tag in each), wanted)
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each, rows in Counter(map(tuple, tags)).items():
        found[stratum_of(each, rates)].update(dict.fromkeys(each, rows))
    return {stratum: dict(found[stratum]) for stratum in sorted(found)}


def rates_of(rows: Mapping[str, int], wanted: Mapping[str, int]) -> dict[str, float]:
    """Tag -> the share of its rows that is drawn."""
    return {tag: wanted[tag] / number for tag, number in rows.items()}


def stratum_of(tags: Sequence[str], rates: Mapping[str, float]) -> str:
    """The tag of a row of which the largest share is drawn."""
    return max(tags, key=lambda tag: (rates[tag], tag))
