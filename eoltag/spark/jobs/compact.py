"""Many small Parquet files of predictions to few large ones: the same rows and columns, whatever happens meanwhile."""

from dataclasses import asdict, dataclass
from math import ceil

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from eoltag.errors import ExitCode, OutputError
from eoltag.spark.requests import CompactRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session
from eoltag.spark.tables.lock import locked
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.tables.predictions import partitions, read_partition, read_predictions


@dataclass(frozen=True, slots=True)
class Compacted:
    """One partition of the predictions table."""

    task: str
    model_version: str
    rows: int
    files_before: int
    files_after: int


def compact_tables(request: CompactRequest) -> ExitCode:
    """Rewrites partitions that have more files than their rows need. Raises UsageError."""
    session = open_session("eoltag compact")
    output = open_output(session, request.output)
    if read_predictions(output) is None:
        raise OutputError(f"{output.root}: holds no predictions; run jobs/tag_bundles.py first")
    if request.is_dry_run:
        done = [_planned(output, *partition, request.rows_per_file) for partition in partitions(output)]
    else:
        with locked(output):
            done = [compact(output, *partition, request.rows_per_file) for partition in partitions(output)]
    document = {"output": output.root, "dry_run": request.is_dry_run, "partitions": [asdict(one) for one in done]}
    show(document, _text(output.root, done, is_dry_run=request.is_dry_run), as_json=request.as_json)
    return ExitCode.DONE


def compact(output: Output, task: str, version: str, rows_per_file: int) -> Compacted:
    """The partition in as few files as its rows need, if it has more. Raises OutputError where the copy differs.

    The copy is made beside, read again and compared; then two renames put it in the place of the old files.
    """
    planned = _planned(output, task, version, rows_per_file)
    if planned.files_after >= planned.files_before:
        return planned
    rows = read_partition(output, task, version)
    before = _digest(rows)
    spread = F.pmod(F.xxhash64("eolMediaURL"), F.lit(planned.files_after))
    staged = f"{output.staging}/compacted"
    rows.repartition(planned.files_after, spread).sortWithinPartitions("eolMediaURL").write.mode("overwrite").option(
        "compression", "zstd"
    ).parquet(staged)
    after = _digest(output.session.read.parquet(staged))
    if after != before:
        output.files.delete(staged)
        raise OutputError(
            f"{output.root}: the copy of task={task}/model_version={version} differs; nothing was changed"
        )
    files = len(output.files.parts(staged))
    output.swap(staged, f"predictions/task={task}/model_version={version}")
    return Compacted(task, version, planned.rows, planned.files_before, files)


def _planned(output: Output, task: str, version: str, rows_per_file: int) -> Compacted:
    rows = read_partition(output, task, version).count()
    files = len(output.files.parts(output.path("predictions", f"task={task}", f"model_version={version}")))
    return Compacted(task, version, rows, files, min(files, max(1, ceil(rows / rows_per_file))))


def _digest(rows: DataFrame) -> tuple[list[tuple[str, str]], int, str]:
    """Columns with types, number of rows, and the sum of their hashes: the same in whatever order."""
    columns = [
        F.to_json(F.map_from_entries(F.array_sort(F.map_entries(field.name))))
        if isinstance(field.dataType, MapType)
        else F.col(field.name)
        for field in rows.schema.fields
    ]
    total = F.sum(F.xxhash64(*columns).cast("decimal(38,0)"))
    (found,) = rows.agg(F.count(F.lit(1)), total).collect()
    return rows.dtypes, int(found[0]), str(found[1])


def _text(root: str, done: list[Compacted], *, is_dry_run: bool) -> str:
    lines = [
        f"  task={one.task} model_version={one.model_version}: {one.rows:,} rows, "
        + (f"{one.files_before} -> {one.files_after} files" if one.files_after < one.files_before else "as it was")
        for one in done
    ]
    fewer = sum(one.files_before - one.files_after for one in done)
    what = f"would save {fewer} files" if is_dry_run else f"{fewer} files fewer"
    return "\n".join([f"{root}/predictions: {what}", *lines])
