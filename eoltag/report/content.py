"""What the page is made from: counts and some rows of the written tables, the runs' own documents, thumbnails."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from eoltag.records import Cut, Measure, Outcome, each_tag

PENDING: Final = "pending"
"""Counted for rows that no run has predicted yet."""

BIN_WIDTHS: Final[dict[Measure, float]] = {"confidence": 0.01, "logit": 0.125}
"""Scores are counted in bins this wide; charts join them to wider bars."""

LOGIT_SPAN: Final = 100.0
"""Logits beyond plus or minus this are counted as this."""


class Counted(NamedTuple):
    """How many bundle rows there are in one group; what the group is not made by is None."""

    kind: str
    """rows, outcome, host, bundle, tag, confidence or logit."""
    task: str
    outcome: str | None = None
    host: str | None = None
    bundle: str | None = None
    tag: str | None = None
    rule: str | None = None
    model: str | None = None
    label: str | None = None
    bin: int | None = None
    """Of the score, in units of BIN_WIDTHS, rounded down."""
    rows: int = 0
    checksum: int | None = None
    """Over everything that the page may show of the rows; of kind `rows` only."""


class Found(NamedTuple):
    """A bundle row that the page may show."""

    task: str
    url: str | None
    identifier: str | None
    version: str | None
    ancestry: str | None
    bundle: str | None
    bundle_row: int
    outcome: str
    detail: str | None
    http_status: int | None
    tag: str | None
    rule: str | None
    label: str | None
    confidence: float | None
    logit: float | None
    order: str
    """Sorting by this draws at random; see thumbnails.sample_order."""
    kept: tuple[tuple[str, str], ...] = ()
    """(name, value) of the columns that --keep took along, such as whose picture it is; none that is empty."""
    confidences: tuple[float, ...] = ()
    """Of several tags: how sure each of them is."""


@dataclass(frozen=True, slots=True)
class Warranty:
    """What people say of the tags of a task."""

    judged: int = 0
    """Images that anybody has judged."""
    right: int = 0
    """Those on which people agree, and agree with the tag that they were shown; of several, each such tag."""
    wrong: int = 0
    """Those on which people agree that another tag is right; of several, each tag that is not."""
    disputed: int = 0
    people: int = 0
    certificate: Mapping[str, Any] | None = None
    """certificates/TASK.json."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task as it stood when its tags were decided."""

    name: str
    description: str
    missing: str
    models: Mapping[str, str]
    """Name -> version, the first one first."""
    rules: Sequence[tuple[str, str, str]]
    """(name, condition with thresholds filled in, tag)."""
    cuts: Sequence[Cut] = ()
    warranty: Warranty = Warranty()
    has_several: bool = False
    """The task may give an image several tags."""

    def each(self, text: str | None) -> tuple[str, ...]:
        """The tags, or the rules, of an image: one, or several that stand joined."""
        return each_tag(text, has_several=self.has_several)

    def of_each_tag(self, row: Found) -> list[Found]:
        """The row once for each of its tags, with the rule and the confidence of that tag."""
        if not self.has_several:
            return [row]
        tags, rules = self.each(row.tag), self.each(row.rule)
        rules = rules if len(rules) == len(tags) else (row.rule or "",) * len(tags)
        sure = row.confidences or (row.confidence,)
        return [
            row._replace(tag=tag, rule=rule or None, confidence=confidence)
            for tag, rule, confidence in zip(tags, rules, sure, strict=True)
        ]

    def of_one_tag(self, one: Counted) -> Counted:
        """A count under one tag: that which is called like the label, else the first; a bar has one colour."""
        tags = self.each(one.tag)
        return one._replace(tag=one.label if one.label in tags else next(iter(tags), None))

    @property
    def has_valid_certificate(self) -> bool:
        """Whether there is a certificate that has not lapsed and is of these models."""
        found = self.warranty.certificate
        return found is not None and not found.get("lapsed") and found.get("models") == dict(self.models)


@dataclass(frozen=True, slots=True)
class Written:
    """Everything that the page is made from."""

    output: str
    runs: Sequence[Mapping[str, Any]]
    """runs/*.json, the latest first."""
    tasks: Sequence[TaskFacts]
    counts: Sequence[Counted]
    found: Sequence[Found]
    thumbnails: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    """(task, URL) -> JPEG."""
    digest: str = ""
    """Of all that is shown of the tables."""

    def rows(self, kind: str, task: str) -> list[Counted]:
        """The counts of one kind and task, the largest first."""
        mine = [one for one in self.counts if one.kind == kind and one.task == task]
        return sorted(mine, key=lambda one: (-one.rows, *(str(value) for value in one[2:9])))


def totals(counts: Iterable[Counted]) -> tuple[int, int, int]:
    """(ok, failed, not asked yet) of counts that have an outcome; rows in = their sum."""
    by_outcome: Counter[str] = Counter()
    for one in counts:
        by_outcome[one.outcome or PENDING] += one.rows
    ok, pending = by_outcome.pop(Outcome.OK.value, 0), by_outcome.pop(PENDING, 0)
    return ok, by_outcome.total(), pending


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What became of the page."""

    path: str
    tasks: list[str]
    is_new: bool
    """False where everything that it would show stood there already."""
    images: int = 0
    """Different ones in its galleries and lists; an image may stand in several."""
    thumbnails: int = 0
    """Those of them that have one."""
    bytes: int = 0


def page_text(page: PageFacts) -> str:
    """For people at the shell."""
    return (
        f"report of {', '.join(page.tasks)}: {page.images:,} images shown, {page.thumbnails:,} with a thumbnail, "
        f"{page.bytes / 1e6:.1f} MB\n{page.path}"
    )
