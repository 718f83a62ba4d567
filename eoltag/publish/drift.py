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
