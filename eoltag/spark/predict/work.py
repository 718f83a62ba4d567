"""What the waves of a run have done so far, and what a summary says of it."""

import time
from collections import Counter
from dataclasses import dataclass, field

from pyspark.sql import DataFrame

from eoltag.records import TRANSIENT
from eoltag.report import Work
from eoltag.spark.predict.commits import commit
from eoltag.spark.predict.ladder import Rung
from eoltag.spark.predict.plan import Plan
from eoltag.spark.tables.facts import IMAGES
from eoltag.spark.tables.runs import Run


@dataclass(frozen=True, slots=True)
class Speed:
    """Images of the waves so far, and the seconds of their Spark tasks, without the commits."""

    images: int = 0
    seconds: float = 0.0

    @property
    def images_per_s(self) -> float | None:
        """None before the first wave."""
        return self.images / self.seconds if self.seconds > 0 else None


@dataclass(slots=True)
class Progress:
    """What the waves of a run have done so far."""

    images: int = 0
    seconds: float = 0.0
    """Of whole waves."""
    other_s: float = 0.0
    """Of waves that were merged into these."""
    tasks_s: float = 0.0
    """Of `seconds`, those of the Spark tasks. With commits in it, waves would shrink where commits are slow."""
    commit_s: float = 0.0
    """Of `seconds` and `other_s`, spent on committing."""
    rows: Counter[str] = field(default_factory=Counter)
    """Table -> rows that the waves gave."""
    bytes: Counter[str] = field(default_factory=Counter)
    """Table -> bytes of the files that the waves gave."""
    not_modified: int = 0
    """Answers of servers that said so."""
    transient: int = 0
    """Failures that may pass."""
    downloaded: int = 0
    """Images whose files servers sent."""
    failed: Counter[str] = field(default_factory=Counter)
    """Outcome -> images that a server was asked for, and that it sent nothing of."""
    stage_s: dict[str, float] = field(default_factory=dict)
    """Seconds of all tasks by stage."""
    slots: int = 1
    """Spark tasks at a time."""
    asked_again: int = 0
    """Images of the last pass, over what failed for a while."""
    absences: dict[str, float] = field(default_factory=dict)
    """Host -> the longest time in seconds that it gave no answer."""

    @property
    def speed(self) -> Speed:
        """What the next wave is cut for."""
        return Speed(self.images, self.tasks_s)

    def add(self, run: Run, wave: DataFrame, images: int) -> None:
        """Run and commit one wave. images: of which it consists."""
        started = time.monotonic()
        staged = run.output.stage("wave", wave)
        computed = time.monotonic()
        done = commit(run.output, staged, run.tasks, run.request.settings.run.thumbnails)
        self.rows.update({name: one.rows for name, one in done.items()})
        self.bytes.update({name: one.bytes for name, one in done.items()})
        self.not_modified += sum(one.not_modified for one in done.values())
        self.transient += sum(one.transient for one in done.values())
        self.downloaded += sum(one.downloaded for name, one in done.items() if name == IMAGES.name)
        self.failed.update(done[IMAGES.name].failed if IMAGES.name in done else {})
        ended = time.monotonic()
        self.images, self.seconds = self.images + images, self.seconds + ended - started
        self.tasks_s += computed - started
        self.commit_s += ended - computed

    def forget_transient(self) -> None:
        """The failures that may pass do not count: their images are asked for once more."""
        self.failed = Counter({name: images for name, images in self.failed.items() if name not in TRANSIENT})

    def merge(self, other: "Progress") -> None:
        """Add what other waves have done. Their seconds are kept apart: they say nothing of the speed of these."""
        self.other_s += other.seconds + other.other_s
        self.commit_s += other.commit_s
        self.rows.update(other.rows)
        self.bytes.update(other.bytes)
        self.asked_again += other.asked_again
        self.downloaded += other.downloaded
        self.failed.update(other.failed)
        self.absences = {**self.absences, **other.absences}


def work_of(plan: Plan, progress: Progress) -> Work:
    """For the summary. rows by rung are those of the plan."""
    counts = plan.counts
    by_rung = {
        Rung.SCORES: counts.from_scores,
        Rung.FEATURES: counts.from_features,
        Rung.PIXELS: counts.from_pixels,
        Rung.NOT_MODIFIED: counts.asked_if_modified,
        Rung.FETCH: counts.to_fetch,
        Rung.NOWHERE: counts.without_features,
    }
    return Work(
        rows={str(rung): number for rung, number in by_rung.items()},
        requests=counts.requests,
        downloaded=progress.downloaded,
        not_downloaded=dict(progress.failed.most_common()),
        not_modified=progress.not_modified,
        scores=progress.rows["scores"],
        waves_s=round(progress.seconds + progress.other_s, 2),
        stage_s={
            name: round(seconds, 2) for name, seconds in {**progress.stage_s, "commit": progress.commit_s}.items()
        },
        bytes_per_row={name: round(size / progress.rows[name], 1) for name, size in progress.bytes.items()},
        slots=progress.slots,
        asked_again=progress.asked_again,
        hosts_away_s={host: round(seconds, 1) for host, seconds in sorted(progress.absences.items())},
    )
