"""Decisions held against what they follow from: bundle rows, facts, and the exported files."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.spark.decide.judgements import PERSON
from eoltag.spark.decide.rules import facts_of, tag_rows
from eoltag.spark.publish.measure import KEY
from eoltag.spark.publish.state import hashable
from eoltag.spark.tables.bundles import rows_of
from eoltag.spark.tables.decided import DecidedNote
from eoltag.spark.tables.facts import FACTS, FactTable, read_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import has_tags, read_tags
from eoltag.spark.tables.writers.export import exported_files
from eoltag.spark.verify.finding import Finding

_EXAMPLES: Final = 1


@dataclass(frozen=True, slots=True)
class Decided:
    """A task as its note tells of it."""

    name: str
    note: DecidedNote
    task: Task


def check_facts(output: Output) -> Iterator[Finding]:
    """Rows that a table of facts holds twice: the same key, or the same row where every row is a fact of its own."""
    for table in FACTS:
        rows = read_facts(output, table)
        if rows is not None:
            yield from _doubled(rows, table)


def check_tags(output: Output, decided: Decided) -> Iterator[Finding]:
    """Bundle rows without a tags row, tags rows too many, and rows that facts and rules give other values for."""
    place = f"tags/task={decided.name}"
    if not decided.note.decision:
        yield Finding(f"decided/{decided.name}.json", "a run that changed this task was broken off; run it again")
        return
    if not has_tags(output, decided.name):
        yield Finding(place, "is missing; its note says that the task was decided")
        return
    if not all(output.files.exists(output.path("bundles", f"bundle={name}")) for name in decided.note.bundles):
        return  # check_layout tells of it
    tags = read_tags(output, decided.name)
    yield from _twins(tags, place)
    bundles = rows_of(output, decided.task)
    right = tag_rows(bundles, facts_of(output), decided.task)
    yield from _differences(right, tags, place)


def check_exports(output: Output, decided: Decided) -> Iterator[Finding]:
    """Exported files that are missing, changed, or not from this decision."""
    files = decided.note.files if decided.note.decision else {}
    for path, digest in files.items():
        if not output.files.exists(output.path(path)):
            yield Finding(path, "is missing; the decision wrote it")
        elif digest and output.files.sha256(output.path(path)) != digest:
            yield Finding(
                path, f"differs from the tags: it was changed after the decision wrote it (sha256 {digest[:12]}...)"
            )
    if decided.note.decision:
        for path in exported_files(output, decided.task):
            if path not in files:
                yield Finding(path, "was not written by the decision of this task")


def _doubled(rows: DataFrame, table: FactTable) -> Iterator[Finding]:
    keys = list(table.key) or [field.name for field in table.schema]
    twins = rows.groupBy(F.xxhash64(*keys).alias("key")).count().where("count > 1")
    (found,) = twins.agg(F.count(F.lit(1)), F.sum(F.col("count") - 1)).collect()
    if found[0]:
        what = f"for each {' and '.join(table.key)} one row was wanted" if table.key else "no row twice was wanted"
        yield Finding(table.name, f"{what}; {int(found[1]):,} are there too many")


def _twins(tags: DataFrame, place: str) -> Iterator[Finding]:
    twins = tags.groupBy(*KEY).count().where("count > 1").orderBy(*KEY)
    first = twins.take(_EXAMPLES)
    if first:
        yield Finding(place, f"{twins.count():,} bundle rows have several rows, the first {_row(first[0])}")


def _differences(right: DataFrame, tags: DataFrame, place: str) -> Iterator[Finding]:
    """Every column of each row compared, by one hash of them."""
    columns = [name for name in right.columns if name not in KEY]
    absent = [name for name in columns if name not in tags.columns]
    if absent:
        yield Finding(place, f"has no column {', '.join(absent)}")
        return
    differs = F.col("wanted") != F.col("found")
    is_judged = (F.col("rule") == PERSON).alias("is_judged")
    wanted, found = (
        rows.select(*KEY, F.xxhash64(*hashable(rows, columns)).alias(name), is_judged)
        for rows, name in ((right, "wanted"), (tags, "found"))
    )
    there = found.groupBy(*KEY).agg(F.first("found").alias("found"))
    both = wanted.join(there, on=list(KEY), how="full_outer")
    cases = {
        "is missing": F.col("found").isNull(),
        "belongs to no bundle row": F.col("wanted").isNull(),
        "is not what people have judged; decide again where they judged since": differs & F.col("is_judged"),
        "has other values than its facts and the rules give": differs & ~F.coalesce("is_judged", F.lit(False)),
    }
    for what, condition in cases.items():
        rows = both.where(condition).orderBy(*KEY)
        first = rows.take(_EXAMPLES)
        if first:
            yield Finding(place, f"{what}: {rows.count():,} rows, the first {_row(first[0])}")


def _row(row: object) -> str:
    return f"{row['bundle']}, row {row['bundle_row']}"  # type: ignore[index]
