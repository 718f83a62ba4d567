"""The summary of a run, counted from the tables that were written."""

import time
from collections import Counter
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task, rows_by_rule
from eoltag.records import Outcome
from eoltag.report import Summary, Work
from eoltag.report.content import PENDING
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
    counts = [_outcomes_tags_and_rules(rows) for rows in tagged]
    outcomes = counts[0][0] if len(tasks) == 1 else _across_tasks(tagged)
    seconds, work = time.monotonic() - started, work or Work()
    return Summary(
        run_id=output.run_id,
        rows_in=outcomes.total(),
        ok=outcomes[Outcome.OK.value],
        failed={name: count for name, count in sorted(outcomes.items()) if name != Outcome.OK.value},
        tags={task.name: dict(sorted(tags.items())) for task, (_, tags, _) in zip(tasks, counts, strict=True)},
        rules={task.name: rows_by_rule(task, rules) for task, (_, _, rules) in zip(tasks, counts, strict=True)},
        seconds=round(seconds, 3),
        images_per_s=round(work.requests / seconds, 2),
        output=output.root,
        images_fetched=work.requests,
        known=work.rows.get("scores", 0),
        work=work,
        bundles=bundles,
        files=[f"{name}/{task.name}" for task in tasks for name in task.file.formats],
        notes=list(notes),
    )


def _outcomes_tags_and_rules(tagged: DataFrame) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Rows of one task by outcome, by tag, and by the rule that fired."""
    outcomes: Counter[str] = Counter()
    tags: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for outcome, tag, rule, rows in tagged.groupBy("outcome", "tag", "rule").count().collect():
        outcomes[outcome or PENDING] += rows
        if tag is not None:
            tags[tag] += rows
        if rule is not None:
            rules[rule] += rows
    return outcomes, tags, rules


def _across_tasks(tagged: Sequence[DataFrame]) -> Counter[str]:
    """Bundle rows by outcome over all tasks: ok where every task has it, else the first failure by name."""
    outcome = F.coalesce("outcome", F.lit(PENDING)).alias("outcome")
    union = tagged[0].select("bundle", "bundle_row", outcome)
    for more in tagged[1:]:
        union = union.unionByName(more.select("bundle", "bundle_row", outcome))
    failed_first = F.struct((F.col("outcome") == Outcome.OK.value).alias("is_ok"), "outcome")
    per_row = union.groupBy("bundle", "bundle_row").agg(F.min_by("outcome", failed_first).alias("outcome"))
    return Counter({row["outcome"]: row["count"] for row in per_row.groupBy("outcome").count().collect()})
