"""Guards: what must hold before a publication takes the place of the current one. Numbers in, refusals out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eoltag.publish.task_table import TaskPublish
from eoltag.records import each_tag

FEWEST_ROWS: Final = 50
"""The flips of a tag alone are held against its limit where it had so many rows: 3 flips of 4 rows say nothing."""
NO_TAG: Final = "(none)"


@dataclass(frozen=True, slots=True)
class Flip:
    """An image whose tag differs from the current publication."""

    url: str
    old_tag: str | None
    new_tag: str | None
    rule: str | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A task beside its part of the current publication."""

    version: str
    """The current publication."""
    moves: Mapping[tuple[str | None, str | None], int]
    """(old tag, new tag) -> images that are in both, also of those that keep their tag."""
    flips: list[Flip] = field(default_factory=list)
    """The most confident ones."""
    has_several: bool = False
    """The task may give an image several tags; the moves are of whole lists, joined."""

    @property
    def tagged(self) -> int:
        """Images that had a tag."""
        return sum(rows for (old, _), rows in self.moves.items() if old is not None)

    @property
    def flipped(self) -> int:
        """Those of them whose tag is another one now, or gone."""
        return sum(rows for (old, new), rows in self.moves.items() if old is not None and old != new)

    @property
    def flip_rate(self) -> float:
        """Share of the tagged images whose tag flipped."""
        return self.flipped / self.tagged if self.tagged else 0.0

    @property
    def tags(self) -> list[str]:
        """Those that images had."""
        return sorted({tag for old, _ in self.moves for tag in self._each(old)})

    def of_tag(self, tag: str) -> tuple[int, int]:
        """Images that had this tag, and how many of them have it no more."""
        had = [(new, rows) for (old, new), rows in self.moves.items() if tag in self._each(old)]
        return sum(rows for _, rows in had), sum(rows for new, rows in had if tag not in self._each(new))

    def _each(self, text: str | None) -> tuple[str, ...]:
        return each_tag(text, has_several=self.has_several)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a task that is to be published."""

    rows: int
    """Rows of the tags table."""
    missing: int
    """Bundle rows without one."""
    doubled: int
    """Rows of the tags table that have a twin, or no bundle row."""
    failed: int
    """Rows whose image was not read."""
    pending: int
    """Rows whose image still has no answer or no score."""
    agreement: float | None = None
    """Share of the images that were read on which the two models agree; None where the task asks for none."""
    comparison: Comparison | None = None
    """None for a task that was never published."""
    drift: Mapping[str, float] = field(default_factory=dict)
    """Population stability index of `confidence` and of `tags` against the current publication; empty without one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the command line and the settings allow."""

    max_flip_rate: float
    max_failure_rate: float
    is_strict: bool = False
    """The flip rate was given on the command line and goes before those of task files."""


def refusals(
    task: str,
    rules: TaskPublish,
    measured: Measured,
    limits: Limits,
    certificate: Mapping[str, Any] | None,
    models: Mapping[str, str],
) -> list[str]:
    """Why the task must not be published, a sentence each; empty where everything holds.

    certificate: that of the task, None without. models: name -> version, as the tags were made.
    """  # fmt: skip
    found = _whole(task, measured)
    share = (measured.failed + measured.pending) / measured.rows if measured.rows else 1.0
    if share > limits.max_failure_rate:
        found.append(
            f"task {task}: {share:.1%} of {measured.rows:,} rows failed or have no answer yet; "
            f"{limits.max_failure_rate:.1%} are allowed"
        )
    found += _flips(task, rules, measured.comparison, limits)
    found += drifts(task, rules, measured.drift, "the current publication")
    if rules.agreement is not None and (measured.agreement or 0.0) < rules.agreement.floor:
        first, second = rules.agreement.models
        found.append(
            f"task {task}: models '{first}' and '{second}' agree on {measured.agreement or 0.0:.1%} of the images; "
            f"wanted {rules.agreement.floor:.1%}"
        )
    if rules.certificate:
        found += _certificate(task, certificate, models)
    return found


def _whole(task: str, measured: Measured) -> list[str]:
    found = []
    if measured.missing:
        found.append(f"task {task}: {measured.missing:,} bundle rows have no row in the tags table")
    if measured.doubled:
        found.append(f"task {task}: {measured.doubled:,} rows of the tags table are doubled or belong to no bundle row")
    return found


def _flips(task: str, rules: TaskPublish, comparison: Comparison | None, limits: Limits) -> list[str]:
    """Flips above the limit of the task, and of its tags."""
    if comparison is None:
        return []
    allowed = limits.max_flip_rate
    if rules.max_flip_rate is not None and not limits.is_strict:
        allowed = rules.max_flip_rate
    found = []
    if comparison.flip_rate > allowed:
        found.append(
            f"task {task}: {comparison.flipped:,} of {comparison.tagged:,} tags ({comparison.flip_rate:.1%}) differ "
            f"from publication {comparison.version}; {allowed:.1%} are allowed"
        )
    for tag in comparison.tags:
        of_tag = allowed if limits.is_strict else rules.max_flip_rates.get(tag, allowed)
        rows, flipped = comparison.of_tag(tag)
        if rows >= FEWEST_ROWS and flipped / rows > of_tag:
            found.append(
                f"task {task}: {flipped:,} of {rows:,} images with tag '{tag}' ({flipped / rows:.1%}) have it no more; "
                f"{of_tag:.1%} are allowed"
            )
    return found


def drifts(task: str, rules: TaskPublish, drift: Mapping[str, float], against: str) -> list[str]:
    """What has drifted further than the task allows, a sentence each. against: what the indices are held against."""
    if rules.max_drift is None:
        return []
    return [
        f"task {task}: {what} drifted: population stability index {index:.2f} against {against}; "
        f"{rules.max_drift:.2f} is allowed"
        for what, index in drift.items()
        if index > rules.max_drift
    ]


def _certificate(task: str, certificate: Mapping[str, Any] | None, models: Mapping[str, str]) -> list[str]:
    """A certificate that is missing, has lapsed, or speaks of other models."""
    if certificate is None:
        return [f"task {task}: demands a certificate (certificate = true), and certificates/{task}.json is not there"]
    if reason := certificate.get("lapsed"):
        return [f"task {task}: its certificate has lapsed ({reason}); audit it again"]
    if certificate.get("models") != dict(models):
        return [
            f"task {task}: its certificate is of the models {certificate.get('models')}, the tags of {dict(models)}; "
            "audit it again"
        ]
    return []
