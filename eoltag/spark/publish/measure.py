"""What the guards ask of a task: rows missing or doubled, failures, agreement, and flips against what is published."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.publish.drift import stability_index, tags_index
from eoltag.publish.guards import Comparison, Flip, Measured
from eoltag.publish.manifest import FOLDER
from eoltag.publish.text import EXAMPLES
from eoltag.records import Outcome
from eoltag.spark.report.counts import count_rows
from eoltag.spark.tables.bundles import read_bundles
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import in_one_order, read_tags

KEY: Final = ("bundle", "bundle_row")
_IMAGE: Final = ("bundle", "eolMediaURL")
"""What an image is recognised by in two publications: its row may have another number in a longer list."""


def measure(output: Output, task: Task, current: str | None) -> Measured:
    """The numbers of a decided task. current: the publication to compare with."""
    tags = read_tags(output, task.name)
    missing, doubled = unmatched(read_bundles(output, task.name), tags)
    ok = F.col("outcome") == Outcome.OK.value
    counted = tags.agg(
        F.count(F.lit(1)), F.count_if(F.col("outcome").isNotNull() & ~ok), F.count_if(F.col("outcome").isNull())
    )
    rows, failed, pending = (int(value or 0) for value in counted.collect()[0])
    agreement, comparison = _agreement(tags.where(ok), task), _compare(output, task, tags, current)
    drift = {} if comparison is None else _drift(read_published_tags(output, comparison.version, task.name), tags, task)
    return Measured(rows, missing, doubled, failed, pending, agreement, comparison, drift)


def unmatched(bundles: DataFrame, tags: DataFrame) -> tuple[int, int]:
    """Bundle rows without a row in the tags table; and rows of that which have a twin, or no bundle row."""
    given = bundles.groupBy(*KEY).agg(F.count(F.lit(1)).alias("given"))
    found = tags.groupBy(*KEY).agg(F.count(F.lit(1)).alias("found"))
    both = given.join(found, on=list(KEY), how="full_outer").select(
        F.greatest(F.coalesce("given", F.lit(0)) - F.coalesce("found", F.lit(0)), F.lit(0)).alias("missing"),
        F.greatest(F.coalesce("found", F.lit(0)) - F.coalesce("given", F.lit(0)), F.lit(0)).alias("doubled"),
    )
    (row,) = both.agg(F.sum("missing"), F.sum("doubled")).collect()
    return int(row[0] or 0), int(row[1] or 0)


def tags_by_image(tags: DataFrame) -> DataFrame:
    """One row for each image of each bundle: of the same image listed twice, the rows have the same tag."""
    return tags.groupBy(*_IMAGE).agg(
        F.min("tag").alias("tag"), F.min("rule").alias("rule"), F.max("confidence").alias("confidence")
    )


def read_published_tags(output: Output, version: str, task: str) -> DataFrame:
    """The tags of a task in a publication."""
    return reader(output.session).parquet(output.path(FOLDER, version, "tags", f"task={task}"))


def _drift(before: DataFrame, tags: DataFrame, task: Task) -> dict[str, float]:
    """The population stability index of confidences and of tags."""
    several = task.file.multiple
    old, new = (
        count_rows(rows.where(F.col("outcome") == Outcome.OK.value), has_several=several) for rows in (before, tags)
    )
    images = (old.images, new.images) if several else None
    return {"confidence": stability_index(old.bins, new.bins), "tags": tags_index(old.tags, new.tags, images)}


def _agreement(read: DataFrame, task: Task) -> float | None:
    """Share of the images on which the two models of the task's agreement give the same label."""
    wanted = task.file.publish.agreement
    if wanted is None:
        return None
    first, second = (F.col("models")[name]["label"] for name in wanted.models)
    (row,) = read.agg(F.avg((first == second).cast("double"))).collect()
    return float(row[0]) if row[0] is not None else 0.0


def _compare(output: Output, task: Task, tags: DataFrame, current: str | None) -> Comparison | None:
    """The task beside the current publication; None where that has no such task."""
    if current is None or not output.files.exists(output.path(FOLDER, current, "tags", f"task={task.name}")):
        return None
    tag = in_one_order(F.col("tag"), task)
    before = tags_by_image(read_published_tags(output, current, task.name)).select(*_IMAGE, tag.alias("old_tag"))
    after = tags_by_image(tags).select(*_IMAGE, tag.alias("new_tag"), "rule", "confidence")
    both = before.join(after, on=list(_IMAGE), how="inner")
    counted = both.groupBy("old_tag", "new_tag").count().collect()
    moves = {(old, new): int(rows) for old, new, rows in counted}
    if all(old == new for old, new in moves):
        return Comparison(current, moves, has_several=task.file.multiple)
    flipped = both.where(F.col("old_tag").isNotNull() & ~F.col("old_tag").eqNullSafe(F.col("new_tag")))
    sure = flipped.orderBy(F.col("confidence").desc_nulls_last(), "eolMediaURL").limit(EXAMPLES).collect()
    flips = [Flip(row.eolMediaURL, row.old_tag, row.new_tag, row.rule, row.confidence) for row in sure]
    return Comparison(current, moves, flips, task.file.multiple)
