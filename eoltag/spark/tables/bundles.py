"""The bundles table, bundles/bundle=B: the rows of each bundle, whatever number of tasks has it; replaced whole."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.bundle.staging import PART
from eoltag.decide.keeping import may_lack
from eoltag.decide.task import Task, bundle_columns
from eoltag.errors import OutputError
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import quoted, rows_schema

_COLUMNS_FILE: Final = "_columns.json"
_FEWEST_ROW_BYTES: Final = 8
"""Lower bound on the bytes of a row (measured: numbered addresses alone take 12), to over-estimate their number."""


def replace_bundles(output: Output, rows: DataFrame) -> None:
    """Keep these rows as those of their bundles; other bundles stay."""
    staged = f"{output.staging}/bundles"
    rows.repartition("bundle").sortWithinPartitions("bundle", "bundle_row").write.mode("overwrite").option(
        "compression", "zstd"
    ).partitionBy("bundle").parquet(staged)
    for bundle in output.files.partitions(staged):
        (part,) = output.files.parts(f"{staged}/{bundle}")
        output.swap_file(f"{staged}/{bundle}/{part}", f"bundles/{bundle}/{PART}")
    output.files.delete(staged)


def upload_bundle(output: Output, local: Path, bundle: str) -> None:
    """Keep the rows of one bundle, which are a file on the driver's disk."""
    output.upload_file(local, f"bundles/bundle={bundle}/{PART}")


def further_columns(output: Output) -> dict[str, list[str]]:
    """Bundle -> the columns that are kept of it beside the usual ones; no bundle without."""
    path = output.path("bundles", _COLUMNS_FILE)
    found: dict[str, list[str]] = json.loads(output.files.read_text(path)) if output.files.exists(path) else {}
    return found


def note_further_columns(output: Output, columns: Mapping[str, Sequence[str]]) -> None:
    """Remember which columns are kept of these bundles."""
    known = further_columns(output)
    fresh = {name: kept for name, kept in {**known, **columns}.items() if kept}
    if fresh != known:
        output.files.write_text(output.path("bundles", _COLUMNS_FILE), json.dumps(fresh, indent=1) + "\n")


def with_kept_columns(output: Output, rows: DataFrame, columns: Mapping[str, Collection[str]]) -> DataFrame:
    """`rows` with columns (bundle -> names) that only the kept rows of a bundle have, by row and URL."""
    for bundle, names in columns.items():
        schema = rows_schema(names)
        kept = reader(output.session).schema(schema).parquet(output.path("bundles", f"bundle={bundle}"))
        known = kept.select(
            F.lit(bundle).alias("k_bundle"), F.col("bundle_row").alias("k_row"), F.col("eolMediaURL").alias("k_url"),
            *[F.col(quoted(name)).alias(f"kept {name}") for name in names],
        )  # fmt: skip
        same = (
            (F.col("bundle") == F.col("k_bundle"))
            & (F.col("bundle_row") == F.col("k_row"))
            & F.col("eolMediaURL").eqNullSafe(F.col("k_url"))
        )
        mended = {
            name: F.coalesce(
                F.col(quoted(f"kept {name}")),
                F.col(quoted(name)) if name in rows.columns else F.lit(None).cast("string"),
            )
            for name in names
        }
        joined = rows.join(known, on=same, how="left").withColumns(mended)
        rows = joined.drop("k_bundle", "k_row", "k_url", *[f"kept {name}" for name in names])
    return rows


def rows_of(output: Output, task: Task) -> DataFrame:
    """All bundle rows that were ever given to a task, with the columns that it reads of them. Raises OutputError."""
    return read_bundles(output, task.name, bundle_columns(task).values(), may_lack(task))


def read_bundles(
    output: Output, task: str, further: Iterable[str] = (), optional: Collection[str] = frozenset()
) -> DataFrame:
    """All bundle rows that were ever given to a task, in their latest form. Raises OutputError.

    further: columns to read beside the usual ones; NULL for a bundle that was kept without, which not all may be,
    except of the `optional` ones (in lower case).
    """
    names, wanted = sorted(kept_bundles(output, task)), list(further)
    if not names:
        raise OutputError(f"{output.root}: no bundle was tagged for task '{task}' here; run jobs/tag_bundles.py first")
    kept = {name.lower() for columns in further_columns(output).values() for name in columns}
    for name in wanted:
        if name.lower() not in {*kept, *optional}:
            raise OutputError(
                f"{output.root}: the bundles of task '{task}' were kept without the column '{name}', which its "
                "bundle_columns name; run jobs/tag_bundles.py over them again (no image is fetched for that)"
            )
    paths = [output.path("bundles", f"bundle={name}") for name in names]
    read = reader(output.session).schema(rows_schema(wanted)).option("basePath", output.path("bundles"))
    return read.parquet(*paths)


def kept_bundles(output: Output, task: str) -> dict[str, str]:
    """Every bundle that the task was given -> its digest in the task's note; without those that a killed run has named
    there and not kept yet. Raises OutputError for one whose rows were decided and are gone.
    """
    there = set(output.files.partitions(output.path("bundles")))
    noted = read_note(output, task).bundles
    kept = {name: digest for name, digest in noted.items() if digest or f"bundle={name}" in there}
    for name in kept:
        if f"bundle={name}" not in there:
            raise OutputError(
                f"{output.path('bundles', f'bundle={name}')}: the rows of a bundle of task '{task}' are gone; run "
                "jobs/tag_bundles.py over the bundle again (no image is fetched for that)"
            )
    return kept


def rows_at_most(output: Output) -> int:
    """Upper bound on the bundle rows that are kept here, of all tasks, by their bytes."""
    return output.files.size(output.path("bundles"))[1] // _FEWEST_ROW_BYTES
