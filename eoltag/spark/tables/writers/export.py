"""Writes the tags table as files: <bundle>_finaltags and <bundle>_failures, in bundle row order, in some formats."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.decide.task import Task, tsv_columns, tsv_condition
from eoltag.records import Outcome
from eoltag.spark.tables.files import configured
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import TAG_NUMBER, one_tag_a_row, read_tags
from eoltag.spark.tables.writers import delta, registry
from eoltag.spark.tables.writers.delta import wants_delta, write_delta
from eoltag.spark.tables.writers.registry import writers_of
from eoltag.spark.tables.writers.writer import Cell, TableWriter

TAGGED: Final = "finaltags"
FAILED: Final = "failures"
"""How the two files of a bundle end."""
SUFFIX: Final = "file suffix"
"""The column that says how the file of a row ends; no column of a task can have this name."""

PLACE: Final = "place in file"
"""The column that numbers the rows of a bundle, more than one for a bundle row where each tag has a row."""
_MOST_TAGS: Final = 1 << 16
"""Rows of one image, at most."""
Pairs = Sequence[tuple[str, str]]
"""(header, SQL expression over the tags table) of each column."""
FAILURE_COLUMNS: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "outcome", "http_status", "detail")
_LARGER_THAN_FILES: Final = 1 << 42
_MOST_OPEN: Final = 200
"""Files that a task writes at a time; where there are more, rows are sorted by their file first."""


def export_tags(output: Output, task: Task) -> None:
    """<bundle>_finaltags with the images that were read and <bundle>_failures with the others, in each format wanted.

    They lie in FORMAT/T. Rows are in the order of the bundle. Files of bundles that are gone, and of formats that the
    task does not name any more, are dropped; a Delta table, which has a history, stays.
    """
    written = read_tags(output, task.name)
    tags = exported_rows(written, task).withColumn(SUFFIX, _suffix(task))
    found = find_parts(tags)
    wanted = writers_of(task)
    columns = {TAGGED: tsv_columns(task), FAILED: [(name, name) for name in FAILURE_COLUMNS]}
    for writer in wanted:
        folder, headers = f"{writer.name}/{task.name}", headers_of(columns, writer)
        names = write_files(output, lines_of(tags, columns, writer), headers, found, writer, folder)
        names += _bare_headers(output, headers[TAGGED], found, set(names), writer, folder)
        drop_others(output, folder, names)
    for writer in registry.WRITERS:
        if writer not in wanted:
            output.files.delete(output.path(writer.name, task.name))
    if wants_delta(task):
        write_delta(output, task, written)


def exported_files(output: Output, task: Task) -> list[str]:
    """Paths below the output directory of what export_tags has written, or somebody else in its place."""
    folders = [f"{writer.name}/{task.name}" for writer in writers_of(task)]
    found = [f"{folder}/{name}" for folder in folders for name in output.files.names(output.path(folder))]
    log = f"{delta.NAME}/{task.name}/{delta.LOG}"
    return [*found, log] if wants_delta(task) and output.files.exists(output.path(log)) else found


def write_files(
    output: Output,
    lines: DataFrame,
    headers: Mapping[str, str | None],
    found: Sequence["Part"],
    writer: TableWriter,
    folder: str,
) -> list[str]:
    """<bundle>_<suffix> files of one format, each replaced whole; returns their names. lines: see lines_of."""
    staged, files = f"{output.staging}/{writer.name}", output.files
    wanted = sorted((one.bundle, one.suffix, one.first) for one in found if one.suffix)
    with _whole_files(output.session):
        _write_lines(output, lines, headers, wanted, staged)
    names = [f"{bundle}_{suffix}.{writer.name}" for bundle, suffix, _ in wanted]
    output.check_lock()
    for number, name in enumerate(names):
        (part,) = files.parts(f"{staged}/file={number}")
        files.replace(f"{staged}/file={number}/{part}", output.path(folder, name))
    files.delete(staged)
    return names


def drop_others(output: Output, folder: str, names: Sequence[str]) -> None:
    """Delete the files of a folder but these."""
    for stale in set(output.files.names(output.path(folder))) - set(names):
        output.files.delete(output.path(folder, stale))


def _bare_headers(
    output: Output, header: str | None, found: Sequence["Part"], there: set[str], writer: TableWriter, folder: str
) -> list[str]:
    """A file of tags also for a bundle without any."""
    bare = sorted({f"{one.bundle}_{TAGGED}.{writer.name}" for one in found} - there)
    for name in bare:
        output.files.write_text(output.path(folder, name), "" if header is None else f"{header}\n")
    return bare


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a bundle that go into one file. suffix: None for those that go into none."""

    bundle: str
    suffix: str | None
    first: int


def find_parts(tags: DataFrame) -> list[Part]:
    """Which files there will be. tags: with the column SUFFIX."""
    return [Part(*row) for row in tags.groupBy("bundle", SUFFIX).agg(F.min(PLACE)).collect()]


def _suffix(task: Task) -> Column:
    """How the file of a row ends; NULL for rows in neither: not predicted yet, or left out by the task's `where`."""
    is_ok, is_wanted = F.col("outcome") == Outcome.OK.value, F.expr(tsv_condition(task))
    return F.when(is_ok & is_wanted, TAGGED).when(F.col("outcome").isNotNull() & ~is_ok, FAILED)


def exported_rows(tags: DataFrame, task: Task) -> DataFrame:
    """The tags as the task wants them in files, one row a line, with PLACE and a column for each model."""
    rows = one_tag_a_row(tags, task) if task.file.tag_rows == "each" else tags.withColumn(TAG_NUMBER, F.lit(0))
    place = F.col("bundle_row") * _MOST_TAGS + F.col(TAG_NUMBER)
    return with_models(rows, task).withColumn(PLACE, place)


def with_models(tags: DataFrame, task: Task) -> DataFrame:
    """The tags with a column for each model, which TSV columns may name."""
    return tags.select("*", *[F.col("models")[name].alias(name) for name in task.packages])


def headers_of(columns: Mapping[str, Pairs], writer: TableWriter) -> dict[str, str | None]:
    """The first line of the files of each suffix."""
    return {suffix: writer.header([header for header, _ in pairs]) for suffix, pairs in columns.items()}


def lines_of(tags: DataFrame, columns: Mapping[str, Pairs], writer: TableWriter) -> DataFrame:
    """bundle, place, suffix, line of every row. tags: with PLACE, and SUFFIX, which is one of those of `columns`."""
    line: Column = F.lit(None).cast("string")
    for suffix, pairs in columns.items():
        cells = [Cell(header, expression, F.expr(expression)) for header, expression in pairs]
        line = F.when(F.col(SUFFIX) == suffix, writer.line(cells)).otherwise(line)
    return tags.select("bundle", F.col(PLACE).alias("place"), F.col(SUFFIX).alias("suffix"), line.alias("line"))


def _write_lines(
    output: Output, lines: DataFrame, headers: Mapping[str, str | None], wanted: list[tuple[str, str, int]], staged: str
) -> None:
    """A text file per (bundle, suffix, first row) in `wanted`: file=NUMBER; the header rides on its first line."""
    if not wanted:
        return
    names = ("file", "bundle", "suffix", "first")
    # As JSON, since rows made in Python would need a Python worker to read them.
    numbered = F.lit(json.dumps([dict(zip(names, (number, *row), strict=True)) for number, row in enumerate(wanted)]))
    cells = F.inline(F.from_json(numbered, "array<struct<file:int,bundle:string,suffix:string,first:bigint>>"))
    places = output.session.range(1).select(cells)
    header: Column = F.lit(None).cast("string")
    for suffix, text in headers.items():
        header = F.when(F.col("suffix") == suffix, F.lit(text)).otherwise(header)
    headed = F.when(F.col("place") == F.col("first"), F.concat_ws("\n", header, "line"))  # without NULL
    placed = lines.join(F.broadcast(places), on=["bundle", "suffix"], how="inner").select(
        "file", "place", headed.otherwise(F.col("line")).alias("line")
    )
    if len(wanted) > _MOST_OPEN:
        placed = placed.sortWithinPartitions("file", "place")
    # A task that keeps all its files open takes rows as they come; Spark would sort them otherwise.
    open_files = len(wanted) if len(wanted) <= _MOST_OPEN else 0
    with configured(output.session, "spark.sql.maxConcurrentOutputFileWriters", open_files):
        placed.select("file", "line").write.mode("overwrite").partitionBy("file").text(staged)


@contextmanager
def _whole_files(session: SparkSession) -> Iterator[None]:
    """Inside, each file that is read is one partition, so that its rows stay together and in their order."""
    keys = ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes")
    with configured(session, keys[0], _LARGER_THAN_FILES), configured(session, keys[1], _LARGER_THAN_FILES):
        yield
