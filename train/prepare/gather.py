"""Which of the candidates are looked at: all, or as many as a cap asks for, drawn by the seed."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from eoltag.records import Outcome
from train.prepare.examine import Finding
from train.prepare.sources.candidate import Candidate, Offer

_SALT: Final = 7_000
"""Keeps these draws apart from others of the same seed."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A candidate and what became of it."""

    candidate: Candidate
    finding: Finding

    @property
    def is_usable(self) -> bool:
        """It can be learned from."""
        return self.finding.outcome == Outcome.OK


def rejected(candidate: Candidate) -> Examined:
    """A candidate that need not be looked at."""
    return Examined(candidate, Finding(str(candidate.rejected), candidate.detail))


def gather(
    offer: Offer, cap: int | None, seed: int, look_at: Callable[[Sequence[Candidate]], Sequence[Examined]]
) -> list[Examined]:
    """Examines until every stratum has `cap` usable images or no candidate is left; sorted by the candidates' key.

    cap: of each stratum for which the offer has none of its own. An image that fails is replaced by the next in the
    order that was drawn, so that a cap is reached where it can be.
    """
    known = [rejected(candidate) for candidate in offer.candidates if candidate.rejected]
    waiting = drawn([candidate for candidate in offer.candidates if not candidate.rejected], seed)
    caps = {stratum: offer.caps.get(stratum, cap) for stratum in waiting}
    usable: Counter[str] = Counter()
    examined: list[Examined] = []
    while batch := _next_batch(waiting, usable, caps):
        looked_at = look_at(batch)
        usable.update(one.candidate.stratum for one in looked_at if one.is_usable)
        examined += looked_at
    return sorted([*known, *examined], key=lambda one: one.candidate.key)


def drawn(candidates: Sequence[Candidate], seed: int) -> dict[str, list[Candidate]]:
    """By stratum, in an order that depends on the seed and not on how they were found; the next one last."""
    strata: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(candidates, key=lambda candidate: candidate.key):
        strata[candidate.stratum].append(candidate)
    return {
        stratum: [members[at] for at in np.random.default_rng([seed, _SALT, place]).permutation(len(members)).tolist()]
        for place, (stratum, members) in enumerate(sorted(strata.items()))
    }


def _next_batch(
    waiting: dict[str, list[Candidate]], usable: Counter[str], caps: Mapping[str, int | None]
) -> list[Candidate]:
    batch: list[Candidate] = []
    for stratum, members in waiting.items():
        cap = caps[stratum]
        count = len(members) if cap is None else min(len(members), cap - usable[stratum])
        batch += [members.pop() for _ in range(max(0, count))]
    return batch
