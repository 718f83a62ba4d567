"""A wave of worker rows becomes rows of the tables: each table is appended, the images last."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.records import Outcome
from eoltag.spark.tables.answers import is_transient
from eoltag.spark.tables.facts import FACTS, IMAGES, FactTable, append_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.thumbnails import merge_thumbnails


class Committed(NamedTuple):
    """What a wave added to one table."""

    rows: int
    bytes: int
    not_modified: int
    """Answers of servers that said so."""
    transient: int
    """Failures that may pass."""
    downloaded: int
    """Answers that came with the bytes of a file."""
    failed: dict[str, int]
    """Outcome -> images of which there are no bytes, though they have an address."""


def commit(output: Output, staged: DataFrame, tasks: Sequence[Task], thumbnails: int) -> dict[str, Committed]:
    """Append the rows of a wave (schemas.WORKER_OUTPUT), which lie on disk; returns what each table got.

    A kill in between leaves facts about contents whose images are asked for again, and nothing twice.
    thumbnails: how many each task keeps.
    """
    key = F.xxhash64("content_sha256", "model_version", "name", "base_version")
    is_not_modified = (F.col("http_status") == int(HTTPStatus.NOT_MODIFIED)) & (F.col("outcome") == Outcome.OK.value)
    has_bytes = F.col("content_sha256").isNotNull() & ~F.coalesce(is_not_modified, F.lit(False))
    counted = staged.groupBy("table", "outcome").agg(
        F.count(F.lit(1)),
        F.count_distinct(key),
        F.count_if(is_not_modified),
        F.count_if(is_transient("outcome")),
        F.count_if(has_bytes),
    )
    groups = counted.collect()
    numbers = {str(name) for name, *_ in groups}
    done = {}
    for table in FACTS:
        if table.name in numbers:
            mine = {outcome: counts for name, outcome, *counts in groups if name == table.name}
            count, keys, not_modified, transient, downloaded = map(sum, zip(*mine.values(), strict=True))
            rows = rows_of(staged, table, output.run_id)
            if table.key and keys < count:  # two Spark tasks have met the same bytes
                rows = rows.dropDuplicates([*table.key])
            failed = {
                outcome: n - old - new
                for outcome, (n, _, old, _, new) in mine.items()
                if n > old + new and outcome not in (None, Outcome.BAD_URL)
            }
            size = append_facts(output, table, rows, count)
            done[table.name] = Committed(count, size, not_modified, transient, downloaded, failed)
    if "thumbnails" in numbers:
        merge_thumbnails(output, tasks, thumbnails, staged.where("table = 'thumbnails'"))
    return done


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
