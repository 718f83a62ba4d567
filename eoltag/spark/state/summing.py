"""The summary of a run, counted from the tables that were written: now, or when they were decided."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.records import Outcome
from eoltag.report import Summary
from eoltag.spark.state.counting import outcomes_of, tags_of
from eoltag.spark.state.unchanged import groups_seen
from eoltag.spark.tables.output import Output

PENDING = "pending"
"""Counted for rows that no run has predicted yet: re-deciding after a killed run sees them."""


@dataclass(frozen=True, slots=True)
class TagCounts:
    """Rows of some bundles."""

    outcomes: Mapping[str, int]
    """Each bundle row once, whatever the number of tasks."""
    tags: dict[str, dict[str, int]]
    """Task -> tag -> rows."""


def count_tags(output: Output, tasks: list[Task], bundles: list[str]) -> TagCounts:
    """Counts over the written tags of `bundles`; from the notes beside the tables where these suffice."""
    seen = groups_seen(output, tasks)
    if seen is None:
        tagged = _tagged(output, tasks, bundles)
        return TagCounts(
            _across_tasks(tagged), {task.name: _tags(rows) for task, rows in zip(tasks, tagged, strict=True)}
        )
    chosen = [{bundle: groups.get(bundle, []) for bundle in bundles} for groups in seen]
    every = [[group for groups in by_bundle.values() for group in groups] for by_bundle in chosen]
    tags = {task.name: tags_of(groups) for task, groups in zip(tasks, every, strict=True)}
    outcomes = outcomes_of(chosen)
    if outcomes is None:
        return TagCounts(_across_tasks(_tagged(output, tasks, bundles)), tags)
    return TagCounts({outcome or PENDING: rows for outcome, rows in outcomes.items()}, tags)


def _tagged(output: Output, tasks: list[Task], bundles: list[str]) -> list[DataFrame]:
    return [output.tags(task.name).where(F.col("bundle").isin(bundles)) for task in tasks]


def _tags(tagged: DataFrame) -> dict[str, int]:
    counted = tagged.where(F.col("tag").isNotNull()).groupBy("tag").count().collect()
    return dict(sorted((row["tag"], row["count"]) for row in counted))


def summarise(
    output: Output,
    counted: TagCounts,
    bundles: list[str],
    started: float,
    *,
    images_fetched: int,
    known: int = 0,
    notes: list[str] | None = None,
) -> Summary:
    """Of a run that ends now. started: time.monotonic() at its beginning."""
    seconds = time.monotonic() - started
    return Summary(
        run_id=output.run_id,
        rows_in=sum(counted.outcomes.values()),
        ok=counted.outcomes.get(Outcome.OK.value, 0),
        failed={name: count for name, count in sorted(counted.outcomes.items()) if name != Outcome.OK.value},
        tags=counted.tags,
        seconds=round(seconds, 3),
        images_per_s=round(images_fetched / seconds, 2),
        output=output.root,
        images_fetched=images_fetched,
        known=known,
        bundles=bundles,
        notes=notes or [],
    )


def _across_tasks(tagged: list[DataFrame]) -> Counter[str]:
    """Each bundle row once: ok where every task has it, else under the first failure."""
    outcomes = [
        rows.select("bundle", "bundle_row", F.coalesce("outcome", F.lit(PENDING)).alias("o")) for rows in tagged
    ]
    union = outcomes[0]
    for more in outcomes[1:]:
        union = union.unionByName(more)
    if len(tagged) == 1:
        return Counter({row["o"]: row["count"] for row in union.groupBy("o").count().collect()})
    failed_first = F.struct((F.col("o") == Outcome.OK.value).alias("is_ok"), "o")
    per_row = union.groupBy("bundle", "bundle_row").agg(F.min_by("o", failed_first).alias("outcome"))
    return Counter({row["outcome"]: row["count"] for row in per_row.groupBy("outcome").count().collect()})
