"""The tags table, tags/task=T: the current decision for every bundle row of a task, replaced whole."""

import re
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.records import JOINER
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.output import Output

TAG_NUMBER: Final = "tag number"
"""A column that no task can have."""
_ONLY: Final = "part-0.parquet"
_UNSORTED: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "ancestry")


def replace_tags(output: Output, rows: DataFrame, task: str) -> None:
    """Write the table beside and swap it in."""
    stage_tags(output, rows)
    place_tags(output, task)


def stage_tags(output: Output, rows: DataFrame) -> DataFrame:
    """The table written beside, for place_tags: a bundle in one file, in the order of its rows."""
    staged = _staged(output)
    spread = F.pmod(F.xxhash64("bundle"), F.lit(64))
    # Names of bundles begin alike: sorting by a number first compares few of them.
    place = F.shiftleft(F.pmod(F.xxhash64("bundle"), F.lit(1 << 20)), 40) + F.col("bundle_row")
    ordered = rows.repartition(spread).sortWithinPartitions(place, "bundle", "bundle_row")
    written = ordered.write.mode("overwrite").option("compression", "zstd").option("maxRecordsPerFile", 0)
    for column in _UNSORTED:  # no reader could skip anything by their bounds, and to find these takes long
        written = written.option(f"parquet.column.statistics.enabled#{column}", "false")
    written.parquet(staged)
    return reader(output.session).schema(rows.schema).parquet(staged)


def place_tags(output: Output, task: str) -> None:
    """Put the table that stage_tags has written in its place."""
    staged = _staged(output)
    parts = output.files.parts(staged)
    if len(parts) == 1:
        output.swap_file(f"{staged}/{parts[0]}", f"tags/task={task}/{_ONLY}")
    else:  # under names of their own: who has listed the old ones gets an error, and no mixture
        output.swap(staged, f"tags/task={task}")


def one_tag_a_row(tags: DataFrame, task: Task) -> DataFrame:
    """Rows of a task with several tags, a row for each: `tag`, `rule` and `confidence` are of that tag alone.

    An image without a tag keeps its one row. TAG_NUMBER counts the rows of an image from 0. Of a task with one tag an
    image the rows are as they are.
    """
    if not task.file.multiple:
        return tags.withColumn(TAG_NUMBER, F.lit(0))
    rules = F.split("rule", re.escape(JOINER))
    is_of_all = F.size(rules) != F.size("tags")  # a person's, or none
    each = F.transform(
        "tags",
        lambda tag, at: F.struct(
            tag.alias("tag"),
            F.when(is_of_all, F.col("rule")).otherwise(F.get(rules, at)).alias("rule"),
            F.get("confidences", at).alias("confidence"),
        ),
    )
    spread = tags.select("*", F.posexplode_outer(each).alias(TAG_NUMBER, "one tag"))
    of_tag = {name: F.coalesce(F.col("one tag")[name], name) for name in ("tag", "rule", "confidence")}
    return spread.withColumns({**of_tag, TAG_NUMBER: F.coalesce(TAG_NUMBER, F.lit(0))}).drop("one tag")


def in_one_order(tag: Column, task: Task) -> Column:
    """The tags of an image as one text in the order of the alphabet, for comparing: the order of rules says nothing."""
    if not task.file.multiple:
        return tag
    return F.array_join(F.array_sort(F.split(tag, re.escape(JOINER))), JOINER)


def _staged(output: Output) -> str:
    return f"{output.staging}/tags"


def has_tags(output: Output, task: str) -> bool:
    """Whether the task was decided before. A kill can leave a folder in which no file was placed yet."""
    return bool(output.files.parts(output.path("tags", f"task={task}")))


def read_tags(output: Output, task: str) -> DataFrame:
    """The written tags of a task."""
    return output.read(reader(output.session), "tags", [f"task={task}"])
