"""What a decision changes against the tags that are there: images that are new, that got another tag, that are gone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.records import Outcome
from eoltag.report import Changes
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import has_tags, in_one_order, read_tags
from eoltag.spark.tables.writers.changes import GONE
from eoltag.spark.tables.writers.export import SUFFIX

NEW: Final = "new"
CHANGED: Final = "changed"
GONE_COLUMNS: Final = ("bundle", "bundle_row", "eolMediaURL", "identifier", "dataObjectVersionID", "ancestry", "tag")
"""What is said of a row whose tag does not hold any more; `tag` is the one that it had."""
_KEY: Final = "change key"


@dataclass(frozen=True, slots=True)
class Compared:
    """The tags of before beside new ones."""

    changes: Changes | None
    """None where there were no tags before."""
    rows: DataFrame | None = None
    """(_KEY, kind) of every image that is not as it was; on disk. None where nobody wants it."""
    gone: DataFrame | None = None
    """GONE_COLUMNS of every row whose tag was there before and is another one or none now; on disk."""

    def marked(self, tags: DataFrame) -> DataFrame:
        """The new tags of images that are new or changed, with SUFFIX."""
        assert self.rows is not None, "asked for with the comparison"
        kinds = self.rows.where(F.col("kind") != GONE).withColumnRenamed("kind", SUFFIX)
        return tags.withColumn(_KEY, _key()).join(kinds, on=_KEY, how="inner").drop(_KEY)


def compare_tags(output: Output, task: Task, after: DataFrame, *, with_rows: bool) -> Compared:
    """The written tags of a task beside those that take their place. An image is known by its bundle and URL.

    after: the tags table as it will be. with_rows: not only the numbers are wanted.
    """
    before = read_tags(output, task.name) if has_tags(output, task.name) else None
    if before is None and not with_rows:
        return Compared(None)
    none = F.lit(None).cast("string")
    tag = in_one_order(F.col("tag"), task)
    sides = _tagged(after).select(_KEY, none.alias("before"), tag.alias("after"))
    if before is not None:
        sides = sides.unionByName(_tagged(before).select(_KEY, tag.alias("before"), none.alias("after")))
    changed = (
        sides.groupBy(_KEY)
        .agg(F.min("before").alias("before"), F.min("after").alias("after"))
        .where(~F.col("before").eqNullSafe(F.col("after")))
        .select(_KEY, _kind().alias("kind"))
    )
    if not with_rows:
        return Compared(_counted(changed))
    rows = output.stage("changes", changed)
    gone = None if before is None else _gone(output, before, rows)
    return Compared(None if before is None else _counted(rows), rows, gone)


def _gone(output: Output, before: DataFrame, rows: DataFrame) -> DataFrame:
    left = _tagged(before).join(rows.where(F.col("kind") != NEW).select(_KEY), on=_KEY, how="left_semi")
    return output.stage("gone", left.select(*GONE_COLUMNS))


def _counted(changed: DataFrame) -> Changes:
    counts: Mapping[str, int] = {row["kind"]: row["count"] for row in changed.groupBy("kind").count().collect()}
    return Changes(*(counts.get(kind, 0) for kind in (NEW, CHANGED, GONE)))


def _kind() -> Column:
    appeared, left = F.col("before").isNull(), F.col("after").isNull()
    return F.when(appeared, NEW).when(left, GONE).otherwise(CHANGED)


def _tagged(tags: DataFrame) -> DataFrame:
    """The rows of images that were read, which all have a tag, with _KEY."""
    return tags.where((F.col("outcome") == Outcome.OK.value) & F.col("eolMediaURL").isNotNull()).withColumn(
        _KEY, _key()
    )


def _key() -> Column:
    """64 bits: among ten million images two share one with a probability of 3 in a million."""
    return F.xxhash64("bundle", "eolMediaURL")
