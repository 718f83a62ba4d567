"""The tags table, tags/task=T: the current decision for every bundle row of a task, replaced whole."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.spark.tables.files import reader
from eoltag.spark.tables.output import Output

_UNSORTED: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "ancestry")


def replace_tags(output: Output, rows: DataFrame, task: str) -> None:
    """Write the table beside and swap it in: a bundle in one file, in the order of its rows."""
    staged = f"{output.staging}/tags"
    spread = F.pmod(F.xxhash64("bundle"), F.lit(64))
    # Names of bundles begin alike: sorting by a number first compares few of them.
    place = F.shiftleft(F.pmod(F.xxhash64("bundle"), F.lit(1 << 20)), 40) + F.col("bundle_row")
    ordered = rows.repartition(spread).sortWithinPartitions(place, "bundle", "bundle_row")
    written = ordered.write.mode("overwrite").option("compression", "zstd").option("maxRecordsPerFile", 0)
    for column in _UNSORTED:  # no reader could skip anything by their bounds, and to find these takes long
        written = written.option(f"parquet.column.statistics.enabled#{column}", "false")
    written.parquet(staged)
    output.swap(staged, f"tags/task={task}")


def has_tags(output: Output, task: str) -> bool:
    """Whether the task was decided before."""
    return output.files.exists(output.path("tags", f"task={task}"))


def read_tags(output: Output, task: str) -> DataFrame:
    """The written tags of a task."""
    return output.read(reader(output.session), "tags", [f"task={task}"])
