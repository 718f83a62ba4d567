"""The certificate of a task: how often each published tag is right, and how sure that is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from eoltag.audit.intervals import Stratum, clopper_pearson, more_to_halve, stratified_share
from eoltag.audit.sample import Drawn, Sample
from eoltag.judgements.record import Agreed

_FAMILIES: Final = ("aceae", "idae")
"""How names of families of plants and of animals end (ICN, ICZN)."""
_FEWEST_OF_SLICE: Final = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """An audited image with what people said of it."""

    image: Drawn
    said: str

    @property
    def is_right(self) -> bool:
        """The published tag is what people say."""
        return self.image.tag == self.said


def judged_images(sample: Sample, agreed: Iterable[Agreed]) -> list[Judged]:
    """Those of a sample on which people agree."""
    tags = {one.content_sha256: one.tag for one in agreed if one.task == sample.task and one.tag is not None}
    return [Judged(one, tags[one.content_sha256]) for one in sample.images if one.content_sha256 in tags]


def certificate(sample: Sample, judged: Sequence[Judged], promises: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """certificates/TASK.json.

    promises: tag -> `max_error` and `confidence`, as the thresholds of the model were chosen; empty where none were.
    """
    by_tag: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        by_tag[one.image.tag].append(one)
    claims = [one for one in judged if one.image.tag != sample.missing]
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
        "tags": {tag: _of_tag(tag, sample, by_tag, promises.get(tag)) for tag in sample.rows},
        "shares_of_other_tags": _others(sample, by_tag),
        "slices": {name: _slices(claims, key) for name, key in _SLICES.items()},
        "agreement": [{**one, "share": one["same"] / one["images"]} for one in sample.agreement],
        "lapsed": None,
    }


def _of_tag(
    tag: str, sample: Sample, by_tag: Mapping[str, Sequence[Judged]], promise: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Precision of a tag, and the share of published images that truly show it; the missing one claims nothing."""
    mine = by_tag.get(tag, []) if tag != sample.missing else []
    right = sum(one.is_right for one in mine)
    share, low, high = stratified_share(_strata(tag, sample, by_tag))
    found: dict[str, Any] = {
        "rows": sample.rows[tag],
        "images": len(mine),
        "right": right,
        "precision": right / len(mine) if mine else None,
        "interval": list(clopper_pearson(right, len(mine))) if mine else [0.0, 1.0],
        "more_to_halve": more_to_halve(right, len(mine)) if mine else None,
        "published_share": sample.rows[tag] / sum(sample.rows.values()),
        "share": share,
        "share_interval": [low, high],
    }
    if promise is not None and mine:
        error_low = 1 - found["interval"][1]
        found["promise"] = {**promise, "is_held": error_low <= promise["max_error"]}
    return found


def _strata(tag: str, sample: Sample, by_tag: Mapping[str, Sequence[Judged]]) -> list[Stratum]:
    return [
        Stratum(rows, len(by_tag.get(name, [])), sum(one.said == tag for one in by_tag.get(name, [])))
        for name, rows in sample.rows.items()
    ]


def _others(sample: Sample, by_tag: Mapping[str, Sequence[Judged]]) -> dict[str, Any]:
    """Tags that people saw and that nothing was published with."""
    seen = {one.said for judged in by_tag.values() for one in judged} - sample.rows.keys()
    found = {}
    for tag in sorted(seen):
        share, low, high = stratified_share(_strata(tag, sample, by_tag))
        found[tag] = {"share": share, "share_interval": [low, high]}
    return found


def _slices(judged: Sequence[Judged], key: Callable[[Drawn], str | None]) -> list[dict[str, Any]]:
    """Precision by a property of the image, the largest slices first; small ones together."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        groups[key(one.image) or "(unknown)"].append(one)
    large = {name: group for name, group in groups.items() if len(group) >= _FEWEST_OF_SLICE}
    rest = [one for name, group in groups.items() if name not in large for one in group]
    if rest:
        large["(others)"] = rest
    return [_slice(name, group) for name, group in sorted(large.items(), key=lambda pair: (-len(pair[1]), pair[0]))]


def _slice(name: str, group: Sequence[Judged]) -> dict[str, Any]:
    right = sum(one.is_right for one in group)
    interval = list(clopper_pearson(right, len(group)))
    return {"name": name, "images": len(group), "right": right, "precision": right / len(group), "interval": interval}


def family_of(image: Drawn) -> str | None:
    """The family in the ancestry of an image; None where it names none."""
    names = [name.strip() for name in (image.ancestry or "").replace("/", "|").split("|")]
    return next((name for name in reversed(names) if name.lower().endswith(_FAMILIES)), None)


_SLICES: Final[Mapping[str, Callable[[Drawn], str | None]]] = {
    "family": family_of,
    "host": lambda image: urlsplit(image.url).hostname,
    "color_mode": lambda image: image.color_mode,
    "rule": lambda image: image.rule,
}
