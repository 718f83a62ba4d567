"""A wave of worker rows becomes rows of the tables: each table is appended, the images last."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.records import Outcome
from eoltag.report.top_k import Thumbnail
from eoltag.spark.tables.answers import is_transient
from eoltag.spark.tables.facts import FACTS, IMAGES, FactTable, place_facts, stage_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.thumbnails import best_thumbnails, replace_thumbnails


class Committed(NamedTuple):
    """What a wave added to one table."""

    rows: int
    keys: int
    """Different ones among them."""
    not_modified: int
    """Answers of servers that said so."""
    transient: int
    """Failures that may pass."""
    downloaded: int
    """Answers that came with the bytes of a file."""
    failed: dict[str, int]
    """Outcome -> images of which there are no bytes, though they have an address."""
    bytes: int = 0
    """Of its files."""


def commit(output: Output, staged: DataFrame, tasks: Sequence[Task], thumbnails: int) -> dict[str, Committed]:
    """Append the rows of a wave (schemas.WORKER_OUTPUT), which lie on disk; returns what each table got.

    The files of all tables are written side by side, since each is a few Spark tasks that leave cores idle, and then
    moved into their places one table after the other. A kill in between leaves facts about contents whose images are
    asked for again, and nothing twice. thumbnails: how many each task keeps.
    """
    counts = _counted(staged)
    tables = [table for table in FACTS if table.name in counts]

    def stage(table: FactTable) -> int:
        rows = rows_of(staged, table, output.run_id)
        if table.key and counts[table.name].keys < counts[table.name].rows:  # two Spark tasks have met the same bytes
            rows = rows.dropDuplicates([*table.key])
        return stage_facts(output, table, rows, counts[table.name].rows)

    with ThreadPoolExecutor(1 + len(tables)) as beside:
        best: Future[list[Thumbnail]] | None = None
        if "thumbnails" in counts:
            best = beside.submit(best_thumbnails, output, tasks, thumbnails, staged.where("table = 'thumbnails'"))
        sizes = list(beside.map(stage, tables))
    for table in tables:
        place_facts(output, table)
    if best is not None:
        replace_thumbnails(output, tasks, best.result())
    return {table.name: counts[table.name]._replace(bytes=size) for table, size in zip(tables, sizes, strict=True)}


def _counted(staged: DataFrame) -> dict[str, Committed]:
    """What a wave holds for each table, in one Spark job."""
    key = F.xxhash64("content_sha256", "model_version", "name", "base_version")
    is_not_modified = (F.col("http_status") == int(HTTPStatus.NOT_MODIFIED)) & (F.col("outcome") == Outcome.OK.value)
    has_bytes = F.col("content_sha256").isNotNull() & ~F.coalesce(is_not_modified, F.lit(False))
    groups = (
        staged.groupBy("table", "outcome")
        .agg(
            F.count(F.lit(1)),
            F.count_distinct(key),
            F.count_if(is_not_modified),
            F.count_if(is_transient("outcome")),
            F.count_if(has_bytes),
        )
        .collect()
    )
    found = {}
    for table in {str(name) for name, *_ in groups}:
        mine = {outcome: counts for name, outcome, *counts in groups if name == table}
        failed = {
            outcome: n - old - new
            for outcome, (n, _, old, _, new) in mine.items()
            if n > old + new and outcome not in (None, Outcome.BAD_URL)
        }
        rows, keys, not_modified, transient, downloaded = map(sum, zip(*mine.values(), strict=True))
        found[table] = Committed(rows, keys, not_modified, transient, downloaded, failed)
    return found


def rows_of(staged: DataFrame, table: FactTable, run_id: str) -> DataFrame:
    """The rows of one table; an answer once for each version of its URL."""
    rows = staged.where(F.col("table") == table.name).withColumn("run_id", F.lit(run_id))
    if table is IMAGES:
        version = F.explode("versions").alias("version")
        rows = rows.select("*", version).withColumn(
            "dataObjectVersionID", F.when(F.col("version") != "", F.col("version"))
        )
    now: dict[str, Column] = {
        name: F.current_timestamp() for name in ("computed_at", "kept_at") if name in table.schema.fieldNames()
    }
    return rows.withColumns(now).select(*table.schema.fieldNames())
