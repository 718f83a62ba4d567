"""The tags table as TSV files: <bundle>_finaltags.tsv and <bundle>_failures.tsv, in bundle row order."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from eoltag.bundle.staging import ROW_BREAKS
from eoltag.decide.task import Task, tsv_columns, tsv_condition
from eoltag.records import Outcome
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import read_tags

TAGGED: Final = "finaltags"
FAILED: Final = "failures"
"""How the two files of a bundle end."""

FAILURE_COLUMNS: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "outcome", "http_status", "detail")
_NO_ANCESTRY: Final = "NA"
"""EOL's literal where a list has no ancestry column."""
_LARGER_THAN_FILES: Final = 1 << 42
_MOST_OPEN: Final = 200
"""TSV files that a task writes at a time; where there are more, rows are sorted by their file first."""


def export_tsv(output: Output, task: Task) -> None:
    """tsv/T/<bundle>_finaltags.tsv with the images that were read, <bundle>_failures.tsv with the others.

    Each has a header and then its rows in bundle row order. Files of bundles that are gone are dropped.
    """
    staged, folder, files = f"{output.staging}/tsv", output.path("tsv", task.name), output.files
    tags = _with_models(read_tags(output, task.name), task)
    found = _find_parts(tags, task)
    wanted = sorted((one.bundle, one.suffix, one.first) for one in found if one.suffix)
    headers = {TAGGED: "\t".join(header for header, _ in tsv_columns(task)), FAILED: "\t".join(FAILURE_COLUMNS)}
    lines = _lines(tags, task, has_breaks=any(one.has_breaks for one in found))
    with _whole_files(output.session):
        _write_lines(output, lines, headers, wanted, staged)
    names = [f"{bundle}_{suffix}.tsv" for bundle, suffix, _ in wanted]
    for number, name in enumerate(names):
        (part,) = files.parts(f"{staged}/file={number}")
        files.delete(f"{folder}/{name}")
        files.move(f"{staged}/file={number}/{part}", f"{folder}/{name}")
    for name in {f"{one.bundle}_{TAGGED}.tsv" for one in found} - set(names):
        files.write_text(f"{folder}/{name}", f"{headers[TAGGED]}\n")
        names.append(name)
    for stale in set(files.names(folder)) - set(names):
        files.delete(f"{folder}/{stale}")
    files.delete(staged)


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows of a bundle that go into one file. suffix: None for those that go into none."""

    bundle: str
    suffix: str | None
    first: int
    has_breaks: bool


def _find_parts(tags: DataFrame, task: Task) -> list[_Part]:
    """Which files there will be, and whether any cell could break a row of one."""
    expressions = list(dict.fromkeys(_expressions(task)))
    fields = tags.select(*[F.expr(expression) for expression in expressions]).schema
    texts = [
        F.coalesce(F.expr(expression), F.lit(""))
        for expression, field in zip(expressions, fields, strict=True)
        if isinstance(field.dataType, StringType)
    ]
    found = (
        tags.select("bundle", _suffix(task).alias("suffix"), "bundle_row", _is_broken(texts).alias("is_broken"))
        .groupBy("bundle", "suffix")
        .agg(F.min("bundle_row"), F.max("is_broken"))
        .collect()
    )
    return [_Part(*row) for row in found]


def _expressions(task: Task) -> Iterator[str]:
    yield from (expression for _, expression in tsv_columns(task))
    yield from FAILURE_COLUMNS


def _suffix(task: Task) -> Column:
    """How the file of a row ends; NULL for rows in neither: not predicted yet, or left out by the task's `where`."""
    is_ok, is_wanted = F.col("outcome") == Outcome.OK.value, F.expr(tsv_condition(task))
    return F.when(is_ok & is_wanted, TAGGED).when(F.col("outcome").isNotNull() & ~is_ok, FAILED)


def _with_models(tags: DataFrame, task: Task) -> DataFrame:
    """The tags with a column for each model, which TSV columns may name."""
    return tags.select("*", *[F.col("models")[name].alias(name) for name in task.packages])


def _lines(tags: DataFrame, task: Task, *, has_breaks: bool) -> DataFrame:
    """bundle, bundle_row, suffix, line of every row of `tags`."""
    tagged = _line([_cell(F.expr(expression), expression) for _, expression in tsv_columns(task)], has_breaks)
    failed = _line([_cell(F.col(name), name) for name in FAILURE_COLUMNS], has_breaks)
    line = F.when(F.col("outcome") == Outcome.OK.value, tagged).otherwise(failed)
    return tags.select("bundle", "bundle_row", _suffix(task).alias("suffix"), line.alias("line"))


def _cell(value: Column, expression: str) -> Column:
    """As text; no value is empty (ancestry: NA)."""
    return F.coalesce(value.cast("string"), F.lit(_NO_ANCESTRY if expression == "ancestry" else ""))


def _line(cells: list[Column], has_breaks: bool) -> Column:
    """Cells that cannot break a row: tabs and line breaks become one space. They are rare, even where there are any."""
    plain = F.concat_ws("\t", *cells)
    if not has_breaks:
        return plain
    mended = F.concat_ws("\t", *[F.regexp_replace(cell, f"[{ROW_BREAKS}]+", " ") for cell in cells])
    return F.when(_is_broken(cells), mended).otherwise(plain)


def _is_broken(cells: list[Column]) -> Column:
    """Whether some cell holds a tab or a line break. Eight plain searches take less than one for a pattern."""
    text, broken = F.concat(*cells) if cells else F.lit(""), F.lit(False)
    for mark in ROW_BREAKS:
        broken = broken | F.contains(text, F.lit(mark))
    return broken


def _write_lines(
    output: Output, lines: DataFrame, headers: dict[str, str], wanted: list[tuple[str, str, int]], staged: str
) -> None:
    """A text file per (bundle, suffix, first row) in `wanted`: file=NUMBER; the header rides on its first line."""
    if not wanted:
        return
    names = ("file", "bundle", "suffix", "first")
    # As JSON, since rows made in Python would need a Python worker to read them.
    numbered = F.lit(json.dumps([dict(zip(names, (number, *row), strict=True)) for number, row in enumerate(wanted)]))
    cells = F.inline(F.from_json(numbered, "array<struct<file:int,bundle:string,suffix:string,first:bigint>>"))
    places = output.session.range(1).select(cells)
    header = F.when(F.col("suffix") == TAGGED, F.lit(headers[TAGGED])).otherwise(F.lit(headers[FAILED]))
    headed = F.when(F.col("bundle_row") == F.col("first"), F.concat_ws("\n", header, "line"))
    placed = lines.join(F.broadcast(places), on=["bundle", "suffix"], how="inner").select(
        "file", "bundle_row", headed.otherwise(F.col("line")).alias("line")
    )
    if len(wanted) > _MOST_OPEN:
        placed = placed.sortWithinPartitions("file", "bundle_row")
    # A task that keeps all its files open takes rows as they come; Spark would sort them otherwise.
    open_files = len(wanted) if len(wanted) <= _MOST_OPEN else 0
    with _configured(output.session, "spark.sql.maxConcurrentOutputFileWriters", open_files):
        placed.select("file", "line").write.mode("overwrite").partitionBy("file").text(staged)


@contextmanager
def _whole_files(session: SparkSession) -> Iterator[None]:
    """Inside, each file that is read is one partition, so that its rows stay together and in their order."""
    keys = ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes")
    with _configured(session, keys[0], _LARGER_THAN_FILES), _configured(session, keys[1], _LARGER_THAN_FILES):
        yield


@contextmanager
def _configured(session: SparkSession, key: str, value: int) -> Iterator[None]:
    """Inside, the session has this setting."""
    before = str(session.conf.get(key))
    session.conf.set(key, value)
    try:
        yield
    finally:
        session.conf.set(key, before)
