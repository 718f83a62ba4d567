"""Drift: how much the scores and tags of a task differ in their shares from those of a publication."""

from collections.abc import Mapping
from math import log
from typing import TypeVar

Group = TypeVar("Group")
BINS = 10
"""Of the confidence, from 0 to 1."""
_FEWEST = 0.5
"""Counted in an empty group, so that its share is not 0."""


def stability_index(before: Mapping[Group, int], now: Mapping[Group, int]) -> float:
    """The population stability index of counts by group: 0 where all shares are the same.

    Below 0.1 is commonly read as no change, above 0.25 as a large one. Source: Siddiqi, Credit Risk Scorecards (2006).
    """
    groups = before.keys() | now.keys()
    if not sum(before.values()) or not sum(now.values()):
        return 0.0
    olds = {group: max(before.get(group, 0), _FEWEST) for group in groups}
    news = {group: max(now.get(group, 0), _FEWEST) for group in groups}
    old_total, new_total = sum(olds.values()), sum(news.values())
    shares = [(olds[group] / old_total, news[group] / new_total) for group in groups]
    return sum((new - old) * log(new / old) for old, new in shares)


def tags_index(before: Mapping[str, int], now: Mapping[str, int], images: tuple[int, int] | None = None) -> float:
    """The index of the tags of a task. before, now: tag -> images.

    images: how many there were before and now, where an image may have several tags. The shares of the tags then do not
    add up to 1: each tag has an index of its own, of images with it and without, and the largest counts.
    """
    if images is None:
        return stability_index(before, now)

    def index(tag: str) -> float:
        had, has = before.get(tag, 0), now.get(tag, 0)
        return stability_index({True: had, False: images[0] - had}, {True: has, False: images[1] - has})

    return max(map(index, before.keys() | now.keys()), default=0.0)
