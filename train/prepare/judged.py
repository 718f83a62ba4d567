"""Judged images among others: they are what was judged, they overrule their copies, and splits do not part the two."""

from collections import defaultdict
from collections.abc import Sequence

from eoltag.records import Outcome
from train.prepare.examine import Finding
from train.prepare.gather import Examined
from train.prepare.sources.candidate import Candidate, Rejection
from train.records import Split
from train.similar.groups import groups_of


def of_content(candidate: Candidate, finding: Finding) -> Finding:
    """The finding on a file that stands for a judged picture; one that is another picture by now is left out."""
    if candidate.content_sha256 is None or finding.outcome != Outcome.OK:
        return finding
    if candidate.is_copy:
        return finding._replace(sha256=candidate.content_sha256)
    if finding.sha256 != candidate.content_sha256:
        return finding._replace(outcome=Rejection.CHANGED, detail="no longer the picture that was judged")
    return finding


def overruled(examined: Sequence[Examined], near_bits: int) -> list[Examined]:
    """The same images; those that show what a judged one shows, and of which another class is said, are left out.

    near_bits: see train.similar.groups.
    """
    usable = [one for one in examined if one.is_usable]
    if len({one.candidate.judged_by is None for one in usable}) < 2:
        return list(examined)
    keys = [(one.finding.sha256,) for one in usable]
    groups = groups_of([one.finding.fingerprint for one in usable], keys, near_bits)
    judged: defaultdict[int, list[Candidate]] = defaultdict(list)
    for one, group in zip(usable, groups, strict=True):
        if one.candidate.judged_by is not None:
            judged[group].append(one.candidate)
    group_of = {id(one): group for one, group in zip(usable, groups, strict=True)}
    return [_overruled(one, judged.get(group_of.get(id(one), -1), [])) for one in examined]


def _overruled(one: Examined, judged: Sequence[Candidate]) -> Examined:
    if one.candidate.judged_by is not None or not judged or not all(map(one.candidate.contradicts, judged)):
        return one
    detail = f"people say {', '.join(sorted({other.label for other in judged}))} of the same picture"
    return Examined(one.candidate, one.finding._replace(outcome=Rejection.OVERRULED, detail=detail))


def inherited(splits: Sequence[Split | None], groups: Sequence[int]) -> list[Split | None]:
    """Images without a split beside some that have one: each joins that of its group, else it is there to learn from.

    Of a group that is in several splits already, the one that is held back furthest.
    """
    if None not in splits or not any(splits):
        return list(splits)
    order = list(Split)
    of_group: dict[int, Split] = {}
    for split, group in zip(splits, groups, strict=True):
        if split is not None:
            of_group[group] = max(split, of_group.get(group, split), key=order.index)
    return [split or of_group.get(group, Split.TRAIN) for split, group in zip(splits, groups, strict=True)]
