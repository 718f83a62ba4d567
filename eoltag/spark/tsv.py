"""The tags table as lines of TSV: which rows go into which file, and cells that cannot break a row."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.decide import Task, tsv_columns, tsv_condition
from eoltag.records import Outcome

TAGGED: Final = "finaltags"
FAILED: Final = "failures"
"""How the two files of a bundle end."""

FAILURE_COLUMNS: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "outcome", "http_status", "detail")
_BREAKS: Final = r"[\t\r\n\u000b\u000c\u0085\u2028\u2029]"
_NO_ANCESTRY: Final = "NA"
"""EOL's literal where a list has no ancestry column."""


def tsv_lines(tags: DataFrame, task: Task) -> tuple[DataFrame, dict[str, str]]:
    """bundle, bundle_row, suffix, line for every row of `tags`, and the header of each suffix.

    suffix is NULL for rows that stand in neither file: not predicted yet, or left out by the task's `where`.
    """
    models = [F.col("models")[name].alias(name) for name in task.packages]
    columns = tsv_columns(task)
    headers = {TAGGED: "\t".join(header for header, _ in columns), FAILED: "\t".join(FAILURE_COLUMNS)}
    is_ok, is_wanted = F.col("outcome") == Outcome.OK.value, F.expr(tsv_condition(task))
    tagged = _line([_cell(F.expr(expression), expression) for _, expression in columns])
    failed = _line([_cell(F.col(name), name) for name in FAILURE_COLUMNS])
    lines = tags.select("*", *models).select(
        "bundle",
        "bundle_row",
        F.when(is_ok & is_wanted, TAGGED).when(F.col("outcome").isNotNull() & ~is_ok, FAILED).alias("suffix"),
        F.when(is_ok, tagged).otherwise(failed).alias("line"),
    )
    return lines, headers


def _cell(value: Column, expression: str) -> Column:
    """As text; no value is empty (ancestry: NA)."""
    return F.coalesce(value.cast("string"), F.lit(_NO_ANCESTRY if expression == "ancestry" else ""))


def _line(cells: list[Column]) -> Column:
    """Cells that cannot break a row: tabs and line breaks become one space. Looked for once a row, they are rare."""
    mended = F.concat_ws("\t", *[F.regexp_replace(cell, f"{_BREAKS}+", " ") for cell in cells])
    return F.when(F.concat(*cells).rlike(_BREAKS), mended).otherwise(F.concat_ws("\t", *cells))
