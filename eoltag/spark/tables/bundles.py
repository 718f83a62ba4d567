"""The bundles table, bundles/task=T/bundle=B: the rows of each bundle, kept for later decisions, replaced whole."""

from collections.abc import Collection
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from pyspark.sql import DataFrame

from eoltag.errors import OutputError
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import rows_schema

_FEWEST_ROW_BYTES: Final = 8
"""Lower bound on the bytes of a row (measured: numbered addresses alone take 12), to over-estimate their number."""


def replace_bundles(output: Output, rows: DataFrame, task: str) -> None:
    """Keep these rows as those of their bundles; other bundles stay."""
    staged = f"{output.staging}/bundles"
    rows.repartition("bundle").sortWithinPartitions("bundle", "bundle_row").write.mode("overwrite").option(
        "compression", "zstd"
    ).partitionBy("bundle").parquet(staged)
    for bundle in output.files.partitions(staged):
        output.swap(f"{staged}/{bundle}", f"bundles/task={task}/{bundle}")
    output.files.delete(staged)


def upload_bundle(output: Output, local: Path, bundle: str, task: str) -> None:
    """Keep the rows of one bundle, which are a file on the driver's disk."""
    output.swap_file(local, f"bundles/task={task}/bundle={bundle}")


def read_bundles(output: Output, task: str, further: Collection[str] = ()) -> DataFrame:
    """All bundle rows that were ever given to a task, in their latest form. Raises OutputError.

    further: columns to read beside the usual ones; NULL for a bundle that was kept without, which not all may be.
    """
    folder = output.path("bundles", f"task={task}")
    if not output.files.names(folder):
        raise OutputError(f"{output.root}: no bundle was tagged for task '{task}' here; run jobs/tag_bundles.py first")
    if not further:
        return output.session.read.parquet(folder)
    kept = {name.lower() for name in output.session.read.option("mergeSchema", "true").parquet(folder).columns}
    for name in further:
        if name.lower() not in kept:
            raise OutputError(
                f"{output.root}: the bundles of task '{task}' were kept without the column '{name}', which its "
                "bundle_columns name; run jobs/tag_bundles.py over them again (no image is fetched for that)"
            )
    return output.session.read.schema(rows_schema(further)).parquet(folder)


def bundle_names(output: Output, task: str) -> list[str]:
    """Every bundle that was ever given to a task."""
    folders = output.files.partitions(output.path("bundles", f"task={task}"))
    return [unquote(folder.removeprefix("bundle=")) for folder in folders]


def rows_at_most(output: Output) -> int:
    """Upper bound on the bundle rows that are kept here, of all tasks, by their bytes."""
    return output.files.size(output.path("bundles"))[1] // _FEWEST_ROW_BYTES
