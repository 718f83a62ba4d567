"""What deciding again would change: tags now and after, and the images that flip. Writes no table."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task, rows_by_rule
from eoltag.records import each_tag
from eoltag.report import NO_TAG, Flips
from eoltag.spark.decide.rules import facts_of, tag_rows
from eoltag.spark.tables.bundles import rows_of
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import has_tags, in_one_order, read_tags

SHOWN: Final = 20
"""Images that flip, in the order of the bundles; all of them go to a file on request."""

COLUMNS: Final = ("bundle", "bundle_row", "eolMediaURL", "tag_now", "tag_after", "rule_now", "rule_after")


@dataclass(frozen=True, slots=True)
class _Compared:
    """Every bundle row with both decisions."""

    rows: DataFrame

    @property
    def flipped(self) -> DataFrame:
        """Those whose tag changes, in the order of the bundles."""
        changed = ~F.col("tag_now").eqNullSafe(F.col("tag_after"))
        return self.rows.where(changed).select(*COLUMNS).orderBy("bundle", "bundle_row")


def flips_of(output: Output, task: Task, file: Path | None) -> Flips:
    """The tags of the written table beside those that the task file gives now. file: gets every flip, as TSV.

    Raises OutputError where no bundle was tagged for the task.
    """
    compared = _compare(output, task)
    changed = compared.rows.groupBy("tag_now", "tag_after", "rule_after").count().collect()
    now: dict[str, int] = {}
    after: dict[str, int] = {}
    moves: dict[str, int] = {}
    rules: dict[str, int] = {}
    for row in changed:
        before, then = row["tag_now"] or NO_TAG, row["tag_after"] or NO_TAG
        for counted, text in ((now, before), (after, then)):
            for tag in each_tag(text, has_several=task.file.multiple):
                counted[tag] = counted.get(tag, 0) + row["count"]
        rules[row["rule_after"]] = rules.get(row["rule_after"], 0) + row["count"]
        if row["tag_now"] != row["tag_after"]:
            moves[f"{before} -> {then}"] = moves.get(f"{before} -> {then}", 0) + row["count"]
    examples = [row.asDict() for row in compared.flipped.limit(SHOWN).collect()] if moves else []
    if file is not None:
        _write(compared.flipped, file)
    now, after, moves = (dict(sorted(counted.items())) for counted in (now, after, moves))
    return Flips(now, after, moves, rows_by_rule(task, rules), examples)


def _compare(output: Output, task: Task) -> _Compared:
    rows, tag = rows_of(output, task), in_one_order(F.col("tag"), task)
    decided = tag_rows(rows, facts_of(output), task).select(
        "bundle", "bundle_row", "eolMediaURL", tag.alias("tag_after"), F.col("rule").alias("rule_after")
    )
    if not has_tags(output, task.name):
        none = F.lit(None).cast("string")
        return _Compared(decided.withColumns({"tag_now": none, "rule_now": none}))
    written = read_tags(output, task.name).select(
        "bundle", "bundle_row", tag.alias("tag_now"), F.col("rule").alias("rule_now")
    )
    return _Compared(decided.join(written, on=["bundle", "bundle_row"], how="left"))


def _write(flipped: DataFrame, path: Path) -> None:
    """A TSV with a header, one partition in memory at a time."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("\t".join(COLUMNS) + "\n")
        for row in flipped.toLocalIterator():
            stream.write("\t".join(_cell(row[name]) for name in COLUMNS) + "\n")


def _cell(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split())
