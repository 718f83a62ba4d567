"""The summary of a run, counted from the tables that were written."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task, rows_by_rule
from eoltag.publish.drift import BINS
from eoltag.records import Outcome, each_tag
from eoltag.report import Summary, Work
from eoltag.report.content import PENDING
from eoltag.spark.report.drift import drift_since
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import read_tags


def summarise(
    output: Output,
    tasks: Sequence[Task],
    bundles: list[str],
    started: float,
    work: Work | None = None,
    notes: Sequence[str] = (),
) -> Summary:
    """The summary of a run that ends now, over the written tags of `bundles`.

    started: time.monotonic() at its start.
    """
    tagged = [read_tags(output, task.name).where(F.col("bundle").isin(bundles)) for task in tasks]
    counts = [count_rows(rows, has_several=task.file.multiple) for task, rows in zip(tasks, tagged, strict=True)]
    outcomes = counts[0].outcomes if len(tasks) == 1 else _across_tasks(tagged)
    tags = {task.name: dict(sorted(found.tags.items())) for task, found in zip(tasks, counts, strict=True)}
    confidences = {task.name: dict(sorted(found.bins.items())) for task, found in zip(tasks, counts, strict=True)}
    images = {task.name: one.images for task, one in zip(tasks, counts, strict=True) if task.file.multiple}
    seconds, work = time.monotonic() - started, work or Work()
    return Summary(
        run_id=output.run_id,
        rows_in=outcomes.total(),
        ok=outcomes[Outcome.OK.value],
        failed={name: count for name, count in sorted(outcomes.items()) if name != Outcome.OK.value},
        tags=tags,
        rules={task.name: rows_by_rule(task, found.rules) for task, found in zip(tasks, counts, strict=True)},
        seconds=round(seconds, 3),
        images_per_s=round(work.requests / seconds, 2),
        output=output.root,
        images_fetched=work.requests,
        known=work.rows.get("scores", 0),
        work=work,
        bundles=bundles,
        files=[f"{name}/{task.name}" for task in tasks for name in task.file.formats],
        notes=list(notes),
        confidences=confidences,
        images=images,
        drift=drift_since(output, bundles, tags, confidences, images),
    )


@dataclass(slots=True)
class RowCounts:
    """Rows of one task."""

    outcomes: Counter[str] = field(default_factory=Counter)
    images: int = 0
    """Those with a tag."""
    tags: Counter[str] = field(default_factory=Counter)
    """A row with several tags counts for each."""
    rules: Counter[str] = field(default_factory=Counter)
    """By the rule that fired."""
    bins: Counter[str] = field(default_factory=Counter)
    """By tenth of the confidence."""


def count_rows(tagged: DataFrame, *, has_several: bool) -> RowCounts:
    """Rows of a tags table by what became of them. has_several: tags an image."""
    found = RowCounts()
    tenth = F.least(F.floor(F.col("confidence") * BINS), F.lit(BINS - 1)).alias("tenth")
    for outcome, tag, rule, bin_, rows in tagged.groupBy("outcome", "tag", "rule", tenth).count().collect():
        found.outcomes[outcome or PENDING] += rows
        if tag is not None:
            found.images += rows
            found.tags.update(dict.fromkeys(each_tag(tag, has_several=has_several), rows))
        if rule is not None:
            found.rules[rule] += rows
        if bin_ is not None:
            found.bins[str(bin_)] += rows
    return found


def _across_tasks(tagged: Sequence[DataFrame]) -> Counter[str]:
    """Bundle rows by outcome over all tasks: ok where every task has it, else the first failure by name."""
    outcome = F.coalesce("outcome", F.lit(PENDING)).alias("outcome")
    union = tagged[0].select("bundle", "bundle_row", outcome)
    for more in tagged[1:]:
        union = union.unionByName(more.select("bundle", "bundle_row", outcome))
    failed_first = F.struct((F.col("outcome") == Outcome.OK.value).alias("is_ok"), "outcome")
    per_row = union.groupBy("bundle", "bundle_row").agg(F.min_by("outcome", failed_first).alias("outcome"))
    return Counter({row["outcome"]: row["count"] for row in per_row.groupBy("outcome").count().collect()})
