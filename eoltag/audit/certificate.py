"""The certificate of a task: how often each published tag is right, and how sure that is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from eoltag.audit.intervals import Stratum, clopper_pearson, more_to_halve, stratified_share
from eoltag.audit.sample import Claim, Drawn, Sample
from eoltag.judgements.record import Agreed

_FAMILIES: Final = ("aceae", "idae")
"""How names of families of plants and of animals end (ICN, ICZN)."""
_FEWEST_OF_SLICE: Final = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """An audited image with what people said of it."""

    image: Drawn
    said: frozenset[str]
    """The tags that it shows."""
    disputed: frozenset[str] = frozenset()
    """Of a task with several tags an image: those that people disagree on."""

    def shows(self, tag: str) -> bool | None:
        """Whether people see this tag; None where they disagree."""
        return None if tag in self.disputed else tag in self.said

    @property
    def claims(self) -> list[Claim]:
        """The published tags that are audited by it: the image is a random draw of these, and people agree on them."""
        return [claim for claim in self.image.claims if claim.is_counted and self.shows(claim.tag) is not None]


@dataclass(frozen=True, slots=True)
class _Audited:
    """One published tag of one image, and whether it is right."""

    image: Drawn
    claim: Claim
    is_right: bool


def judged_images(sample: Sample, agreed: Iterable[Agreed]) -> list[Judged]:
    """Those of a sample on which people agree; of several tags an image, on some of them."""
    said = {one.content_sha256: one for one in agreed if one.task == sample.task}
    both = [(image, said[image.content_sha256]) for image in sample.images if image.content_sha256 in said]
    if sample.has_several:
        return [
            Judged(image, frozenset(one.present), frozenset(one.disputed))
            for image, one in both
            if any(tag is not None for tag in one.said.values())
        ]
    return [Judged(image, frozenset({one.tag})) for image, one in both if one.tag is not None]


def certificate(sample: Sample, judged: Sequence[Judged], promises: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """certificates/TASK.json. An image with several tags counts for each of them by itself.

    promises: tag -> `max_error` and `confidence`, as the thresholds of the model were chosen; empty where none were.
    """
    claims = [
        _Audited(one.image, claim, bool(one.shows(claim.tag)))
        for one in judged
        for claim in one.claims
        if claim.tag != sample.missing
    ]
    return {
        "task": sample.task,
        "publication": sample.publication,
        "models": sample.models,
        "audit": sample.id,
        "drawn_at": sample.drawn_at,
        "certified_at": datetime.now(UTC).isoformat(),
        "drawn": len(sample.images),
        "judged": len(claims),
        "right": sum(one.is_right for one in claims),
        "tags": {tag: _of_tag(tag, sample, claims, judged, promises.get(tag)) for tag in sample.rows},
        "shares_of_other_tags": _others(sample, judged),
        "slices": {name: _slices(claims, key, by_tag=sample.has_several) for name, key in _SLICES.items()},
        "agreement": [{**one, "share": one["same"] / one["images"]} for one in sample.agreement],
        "lapsed": None,
    }


def _of_tag(
    tag: str, sample: Sample, claims: Sequence[_Audited], judged: Sequence[Judged], promise: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Precision of a tag, and the share of published images that truly show it; the missing one claims nothing.

    The audited images of a tag are a simple random sample of all that have it (see draw), so its interval is exact.
    """
    mine = [one.is_right for one in claims if one.claim.tag == tag]
    right = sum(mine)
    share, low, high = stratified_share(_strata(tag, sample, judged))
    found: dict[str, Any] = {
        "rows": sample.rows[tag],
        "images": len(mine),
        "right": right,
        "precision": right / len(mine) if mine else None,
        "interval": list(clopper_pearson(right, len(mine))) if mine else [0.0, 1.0],
        "more_to_halve": more_to_halve(right, len(mine)) if mine else None,
        "published_share": sample.rows[tag] / sample.all_rows,
        "share": share,
        "share_interval": [low, high],
    }
    if promise is not None and mine:
        error_low = 1 - found["interval"][1]
        found["promise"] = {**promise, "is_held": error_low <= promise["max_error"]}
    return found


def _strata(tag: str, sample: Sample, judged: Sequence[Judged]) -> list[Stratum]:
    """The strata of the draw, each parted by whether its images have the tag: the tag is the prediction.

    Of several tags an image a part may have no audited image; then the stratum stays whole (post-stratification: Holt
    and Smith, JRSS A 142 (1979)).
    """
    audited: dict[tuple[str, bool], list[bool]] = defaultdict(list)
    for one in judged:
        if (shows := one.shows(tag)) is not None:
            audited[one.image.drawn_from, tag in one.image.tags].append(shows)
    found = []
    for stratum, rows in sample.strata.items():
        with_tag = rows.get(tag, 0)
        parts = [(rows[stratum] - with_tag, audited[stratum, False]), (with_tag, audited[stratum, True])]
        parts = [(number, seen) for number, seen in parts if number]
        if not all(seen for _, seen in parts):
            parts = [(rows[stratum], audited[stratum, False] + audited[stratum, True])]
        found += [Stratum(number, len(seen), sum(seen)) for number, seen in parts]
    return found


def _others(sample: Sample, judged: Sequence[Judged]) -> dict[str, Any]:
    """Tags that people saw and that nothing was published with."""
    seen = {tag for one in judged for tag in one.said} - sample.rows.keys()
    found = {}
    for tag in sorted(seen):
        share, low, high = stratified_share(_strata(tag, sample, judged))
        found[tag] = {"share": share, "share_interval": [low, high]}
    return found


def _slices(claims: Sequence[_Audited], key: Callable[[_Audited], str | None], *, by_tag: bool) -> list[dict[str, Any]]:
    """Precision by a property of the image, the largest slices first; small ones together. by_tag: each tag by itself.

    Of several tags an image only those of one tag are images that were drawn by themselves.
    """
    groups: dict[tuple[str | None, str], list[bool]] = defaultdict(list)
    for one in claims:
        groups[one.claim.tag if by_tag else None, key(one) or "(unknown)"].append(one.is_right)
    joined: dict[tuple[str | None, str], list[bool]] = defaultdict(list)
    for (tag, name), group in groups.items():
        joined[tag, name if len(group) >= _FEWEST_OF_SLICE else "(others)"] += group
    ordered = sorted(joined.items(), key=lambda pair: (pair[0][0] or "", -len(pair[1]), pair[0][1]))
    return [_slice(tag, name, group) for (tag, name), group in ordered]


def _slice(tag: str | None, name: str, group: Sequence[bool]) -> dict[str, Any]:
    right = sum(group)
    interval = list(clopper_pearson(right, len(group)))
    found = {"name": name, "images": len(group), "right": right, "precision": right / len(group), "interval": interval}
    return found if tag is None else {"tag": tag, **found}


def family_of(image: Drawn) -> str | None:
    """The family in the ancestry of an image; None where it names none."""
    names = [name.strip() for name in (image.ancestry or "").replace("/", "|").split("|")]
    return next((name for name in reversed(names) if name.lower().endswith(_FAMILIES)), None)


_SLICES: Final[Mapping[str, Callable[[_Audited], str | None]]] = {
    "family": lambda one: family_of(one.image),
    "host": lambda one: urlsplit(one.image.url).hostname,
    "color_mode": lambda one: one.image.color_mode,
    "rule": lambda one: one.claim.rule,
}
