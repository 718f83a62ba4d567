"""Files of only what a run has changed, changes/T: <bundle>_new, _changed and _gone, in the formats of the task."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task, tsv_columns, tsv_condition
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.writers.export import (
    PLACE,
    SUFFIX,
    drop_others,
    exported_rows,
    find_parts,
    headers_of,
    lines_of,
    write_files,
)
from eoltag.spark.tables.writers.registry import writers_of

FOLDER: Final = "changes"
GONE: Final = "gone"
_GONE_COLUMNS: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "ancestry", "tag")


def export_changes(output: Output, task: Task, tags: DataFrame, gone: DataFrame | None) -> None:
    """Write the files anew: who takes up _new and _changed and drops _gone holds what the whole files hold.

    tags: the written tags that are new or another one, with SUFFIX: new, changed. gone: rows whose tag does not hold
    any more, with the tag that they had; a changed row stands there too where the task's `where` leaves it out now.
    """
    folder, names = f"{FOLDER}/{task.name}", list[str]()
    now = exported_rows(tags, task).where(F.expr(tsv_condition(task)) & (F.col("outcome") == "ok"))
    sides = [(now, {kind: tsv_columns(task) for kind in ("new", "changed")})]
    if gone is not None:
        there = now.select("bundle", "eolMediaURL").distinct()
        left = gone.join(there, on=["bundle", "eolMediaURL"], how="left_anti")
        left = left.withColumn(SUFFIX, F.lit(GONE)).withColumn(PLACE, F.col("bundle_row"))
        sides.append((left, {GONE: [(name, name) for name in _GONE_COLUMNS]}))
    for rows, columns in sides:
        found, ordered = find_parts(rows), rows.repartition("bundle").sortWithinPartitions("bundle", PLACE)
        for writer in writers_of(task):
            lines, headers = lines_of(ordered, columns, writer), headers_of(columns, writer)
            names += write_files(output, lines, headers, found, writer, folder)
    drop_others(output, folder, names)


def drop_changes(output: Output, task: Task) -> None:
    """Delete the files of an earlier run, which would not lead to what there is now."""
    output.files.delete(output.path(FOLDER, task.name))
