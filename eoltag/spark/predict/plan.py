"""The plan of a run: the images that are still to be fetched, in slices, and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.records import ModelSlot
from eoltag.spark.predict.inputs import bundle_rows
from eoltag.spark.predict.subtraction import RefreshPolicy, images, to_do, with_models
from eoltag.spark.requests import TagRequest
from eoltag.spark.tables.predictions import read_predictions
from eoltag.spark.tables.runs import Run


@dataclass(frozen=True, slots=True)
class Counts:
    """The plan in numbers of bundle rows; rows_in = known + to_do + bad_rows."""

    rows_in: int
    known: int
    to_do: int
    bad_rows: int
    images_to_fetch: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A slice of the to-do list, by hash of the URL."""

    number: int
    images: int
    """All of them, those without a usable URL too."""
    usable_images: int
    usable_rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run has to do."""

    rows: DataFrame
    """The bundle rows (schemas.ROWS)."""
    to_do: DataFrame
    """The images to fetch, as `to_do` gives them, written to disk."""
    buckets: list[Bucket]
    """The slices of to_do; none where there is nothing to do."""
    counts: Counts


def make_plan(run: Run) -> Plan:
    """Subtract what is predicted from the rows of a run."""
    slots, policy = slots_of(run.tasks), refresh_policy(run.request)
    rows, predictions = bundle_rows(run), read_predictions(run.output)
    planned = with_models(images(rows), predictions, slots, policy)
    work = run.output.stage("to_do", to_do(planned))
    buckets = buckets_of(work)
    rows_in, bad_rows = run.staged.rows, run.staged.bad_rows
    if run.request.sample is not None:  # of whole bundles staging knows the numbers
        rows_in, bad_rows = rows.agg(F.count(F.lit(1)), F.count_if(~F.col("is_usable"))).collect()[0]
    return Plan(rows, work, buckets, count(buckets, rows_in, bad_rows))


def refresh_policy(request: TagRequest) -> RefreshPolicy:
    """What the command line asks to have fetched again, by the clock as it stands now."""
    days = request.refresh_older_than_days
    before = None if days is None else datetime.now(UTC) - timedelta(days=days)
    return RefreshPolicy(request.retry_failed, before)


def slots_of(tasks: list[Task]) -> list[ModelSlot]:
    """Every model of every task, in its place."""
    return [
        ModelSlot(task.name, model, package.version, task.file.features)
        for task in tasks
        for model, package in task.packages.items()
    ]


def buckets_of(to_do: DataFrame) -> list[Bucket]:
    """At most BUCKETS of them, ascending: all that the driver holds of the to-do list."""
    counted = (
        to_do.groupBy("bucket")
        .agg(
            F.count(F.lit(1)).alias("images"),
            F.count_if("is_usable").alias("usable_images"),
            F.sum(F.when(F.col("is_usable"), F.col("rows")).otherwise(0)).alias("usable_rows"),
        )
        .collect()
    )
    return sorted((Bucket(*row) for row in counted), key=lambda bucket: bucket.number)


def count(buckets: Sequence[Bucket], rows_in: int, bad_rows: int) -> Counts:
    """rows_in, bad_rows: of the bundles as they are."""
    rows = sum(bucket.usable_rows for bucket in buckets)
    return Counts(
        rows_in=rows_in,
        known=rows_in - bad_rows - rows,
        to_do=rows,
        bad_rows=bad_rows,
        images_to_fetch=sum(bucket.usable_images for bucket in buckets),
    )
