"""What there is to do: bundle rows minus rows already predicted. Resume, re-run and retag are this one rule."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.records import TRANSIENT, ModelSlot, Outcome

BUCKETS: Final = 4096
"""The to-do list is cut by hash of the URL; a wave is a run of buckets, so the driver only ever holds their counts."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Which rows that are already predicted are asked again."""

    failed: bool = False
    """Final failures too; transient ones are always asked again."""
    before: datetime | None = None
    """Everything fetched before this time."""


def may_pass() -> Column:
    """Is the outcome of a row a failure that may pass by itself? False where it has none yet."""
    return F.coalesce(F.col("outcome").isin([str(outcome) for outcome in sorted(TRANSIENT)]), F.lit(False))


def lacks_any(features: Iterable[str]) -> Column:
    """Was the image of a row read, and one of these not measured?"""
    lacking = F.lit(False)
    for feature in features:
        lacking = lacking | F.col(feature).isNull()
    return lacking & F.col("outcome").eqNullSafe(Outcome.OK.value)


def settled(redo: Redo) -> Column:
    """Is a row of the predictions table an answer that stands?"""
    good = F.col("outcome") == Outcome.OK.value
    if not redo.failed:
        good = good | ~may_pass()
    return good if redo.before is None else good & (F.col("fetched_at") >= F.lit(redo.before))


def lacks_features(slots: Sequence[ModelSlot]) -> Column:
    """Is a row of the predictions table without something that its task has measured by now?"""
    lacking = F.lit(False)
    for slot in slots:
        is_of_slot = (F.col("task") == slot.task) & (F.col("model") == slot.model)
        lacking = lacking | (is_of_slot & lacks_any(slot.features))
    return lacking


def images(rows: DataFrame) -> DataFrame:
    """One row per (eolMediaURL, dataObjectVersionID), with the first bundle row that names it and their number."""
    first = F.min(F.struct("bundle", "bundle_row", "identifier", "ancestry")).alias("first")
    return rows.groupBy("eolMediaURL", "dataObjectVersionID").agg(
        first, F.count(F.lit(1)).alias("rows"), F.max("is_usable").alias("is_usable")
    )


def with_models(images: DataFrame, predictions: DataFrame | None, slots: Sequence[ModelSlot], redo: Redo) -> DataFrame:
    """`images` with `models`: the keys of the models that have no settled prediction for it.

    A row without a version is content with a prediction of any version of its URL.
    """
    every = F.array(*[F.lit(slot.key) for slot in slots])
    if predictions is None:
        return images.withColumn("models", every)
    key = F.concat_ws("/", "task", "model", "model_version")
    wanted = [f"{slot.key}/{slot.version}" for slot in slots]
    known = (
        predictions.where(key.isin(wanted))
        .where(settled(redo) & ~lacks_features(slots))
        .select(
            F.col("eolMediaURL").alias("known_url"),
            F.col("dataObjectVersionID").alias("known_version"),
            F.concat_ws("/", "task", "model").alias("known_model"),
        )
    )
    same = F.col("eolMediaURL").eqNullSafe(F.col("known_url")) & (
        F.col("dataObjectVersionID").isNull() | (F.col("dataObjectVersionID") == F.col("known_version"))
    )
    return (
        images.join(known, on=same, how="left")
        .groupBy("eolMediaURL", "dataObjectVersionID")
        .agg(
            F.first("first").alias("first"),
            F.first("rows").alias("rows"),
            F.first("is_usable").alias("is_usable"),
            F.array_except(every, F.collect_set("known_model")).alias("models"),
        )
    )


def to_do(planned: DataFrame) -> DataFrame:
    """One row per URL to fetch: its models, its versions, the bundle row it stands for, how many rows, its bucket."""
    versions = F.collect_set(F.coalesce("dataObjectVersionID", F.lit("")))
    bucket = F.pmod(F.xxhash64("eolMediaURL"), F.lit(BUCKETS)).cast("int")
    return (
        planned.where(F.size("models") > 0)
        .groupBy("eolMediaURL")
        .agg(
            F.array_distinct(F.flatten(F.collect_list("models"))).alias("models"),
            F.when(F.size(versions) > 1, F.array_remove(versions, "")).otherwise(versions).alias("versions"),
            F.min("first").alias("first"),
            F.sum("rows").alias("rows"),
            F.max("is_usable").alias("is_usable"),
        )
        .select(
            "eolMediaURL",
            F.col("first.identifier").alias("identifier"),
            F.col("first.ancestry").alias("ancestry"),
            F.col("first.bundle").alias("bundle"),
            F.col("first.bundle_row").alias("bundle_row"),
            "versions",
            "models",
            "rows",
            "is_usable",
            bucket.alias("bucket"),
        )
        .sortWithinPartitions("bucket")
    )


@dataclass(frozen=True, slots=True)
class Bucket:
    """A slice of the to-do list, by hash of the URL."""

    number: int
    images: int
    """All of them, those without a usable URL too."""
    usable_images: int
    usable_rows: int
    has_versions: bool
    """Some image is wanted in several versions."""


def buckets_of(to_do: DataFrame) -> list[Bucket]:
    """At most BUCKETS of them, ascending: all that the driver holds of the to-do list."""
    counted = (
        to_do.groupBy("bucket")
        .agg(
            F.count(F.lit(1)).alias("images"),
            F.count_if("is_usable").alias("usable_images"),
            F.sum(F.when(F.col("is_usable"), F.col("rows")).otherwise(0)).alias("usable_rows"),
            F.max(F.size("versions") > 1).alias("has_versions"),
        )
        .collect()
    )
    return sorted((Bucket(*row) for row in counted), key=lambda bucket: bucket.number)


@dataclass(frozen=True, slots=True)
class Counts:
    """The plan in numbers of bundle rows; rows_in = known + to_do + bad_rows."""

    rows_in: int
    known: int
    to_do: int
    bad_rows: int
    images_to_fetch: int


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


def next_wave(buckets: Sequence[Bucket], size: int) -> tuple[list[Bucket], list[Bucket]]:
    """The buckets of the next wave, of about `size` images, and those left."""
    images, taken = 0, 0
    while taken < len(buckets) and images < size:
        images += buckets[taken].images
        taken += 1
    return list(buckets[:taken]), list(buckets[taken:])
