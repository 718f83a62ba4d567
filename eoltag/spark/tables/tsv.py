"""The tags table as TSV files: <bundle>_finaltags.tsv and <bundle>_failures.tsv, in bundle row order."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from eoltag.bundle.staging import ROW_BREAKS
from eoltag.decide.task import Task, tsv_columns, tsv_condition
from eoltag.records import Outcome
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IDENTITY

TAGGED: Final = "finaltags"
FAILED: Final = "failures"
"""How the two files of a bundle end."""

FAILURE_COLUMNS: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "outcome", "http_status", "detail")
_NO_ANCESTRY: Final = "NA"
"""EOL's literal where a list has no ancestry column."""
_MOST_OPEN: Final = 200
"""TSV files that a task writes at a time; where there are more, rows are sorted by their file first."""


def export_tsv(output: Output, task: Task, *, is_plain: bool = False) -> bool:
    """tsv/T/<bundle>_finaltags.tsv with the images that were read, <bundle>_failures.tsv with the others.

    Each has a header and then its rows in bundle row order. Files of bundles that are gone are dropped.
    is_plain: no identity column holds a tab or a line break, as an earlier call has returned; they are not looked
    through again.
    """
    staged, folder = f"{output.staging}/tsv", output.path("tsv", task.name)
    tags = _with_models(output.tags(task.name), task)
    found = _look_through(tags, task, is_plain=is_plain)
    wanted = sorted((one.bundle, one.suffix, one.first) for one in found if one.suffix)
    headers = {TAGGED: "\t".join(header for header, _ in tsv_columns(task)), FAILED: "\t".join(FAILURE_COLUMNS)}
    has_breaks = any(one.breaks_identity or one.breaks_others for one in found)
    with output.whole_files():
        _write_lines(output, _lines(tags, task, has_breaks=has_breaks), headers, wanted, staged)
    names = [f"{bundle}_{suffix}.tsv" for bundle, suffix, _ in wanted]
    for number, name in enumerate(names):
        (part,) = output.parts(f"{staged}/file={number}")
        output.files.delete(f"{folder}/{name}")
        output.files.move(f"{staged}/file={number}/{part}", f"{folder}/{name}")
    for name in {f"{one.bundle}_{TAGGED}.tsv" for one in found} - set(names):
        output.files.write_text(f"{folder}/{name}", f"{headers[TAGGED]}\n")
        names.append(name)
    for stale in set(output.files.names(folder)) - set(names):
        output.files.delete(f"{folder}/{stale}")
    output.files.delete(staged)
    return not any(one.breaks_identity for one in found)


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows of a bundle that go into one file. suffix: None for those that stand in none."""

    bundle: str
    suffix: str | None
    first: int
    breaks_identity: bool
    breaks_others: bool


def _look_through(tags: DataFrame, task: Task, *, is_plain: bool) -> list[_Part]:
    """Which files there will be, and whether any cell could break a row."""
    identity = [F.coalesce(name, F.lit("")) for name, kind in IDENTITY.items() if isinstance(kind, StringType)]
    others = [expression for expression in dict.fromkeys([*_expressions(task)]) if expression not in IDENTITY]
    texts = tags.select(*[F.expr(expression) for expression in others]).schema
    cells = [
        F.coalesce(F.expr(expression), F.lit(""))
        for expression, field in zip(others, texts, strict=True)
        if isinstance(field.dataType, StringType)
    ]
    found = (
        tags.select(
            "bundle",
            _suffix(task).alias("suffix"),
            "bundle_row",
            (F.lit(False) if is_plain else _is_broken(identity)).alias("identity"),
            _is_broken(cells).alias("others"),
        )
        .groupBy("bundle", "suffix")
        .agg(F.min("bundle_row"), F.max("identity"), F.max("others"))
        .collect()
    )
    return [_Part(*row) for row in found]


def _expressions(task: Task) -> Iterator[str]:
    yield from (expression for _, expression in tsv_columns(task))
    yield from FAILURE_COLUMNS


def _suffix(task: Task) -> Column:
    """NULL for rows that stand in neither file: not predicted yet, or left out by the task's `where`."""
    is_ok, is_wanted = F.col("outcome") == Outcome.OK.value, F.expr(tsv_condition(task))
    return F.when(is_ok & is_wanted, TAGGED).when(F.col("outcome").isNotNull() & ~is_ok, FAILED)


def _with_models(tags: DataFrame, task: Task) -> DataFrame:
    """With a column for each model, which TSV columns may name."""
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
    """Some cell holds a tab or a line break. Eight plain searches take less than one for a pattern."""
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
    with output.configured("spark.sql.maxConcurrentOutputFileWriters", len(wanted) if len(wanted) <= _MOST_OPEN else 0):
        placed.select("file", "line").write.mode("overwrite").partitionBy("file").text(staged)
