"""What there is to do: bundle rows minus rows already predicted. Resume, re-run and retag are this one rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.records import TRANSIENT, ModelSlot, Outcome

BUCKETS: Final = 4096
"""The to-do list is cut by hash of the URL; a wave is a run of buckets, so the driver only ever holds their counts."""


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """Which rows that are already predicted are fetched again."""

    failed: bool = False
    """Final failures too; transient ones always are."""
    before: datetime | None = None
    """Everything that was fetched before this time."""


def is_transient() -> Column:
    """Whether the outcome of a row is a transient failure; false where it has none yet."""
    return F.coalesce(F.col("outcome").isin([str(outcome) for outcome in sorted(TRANSIENT)]), F.lit(False))


def is_answer(policy: RefreshPolicy) -> Column:
    """Whether a row of the predictions table is an answer, so that its image need not be fetched again."""
    good = F.col("outcome") == Outcome.OK.value
    if not policy.failed:
        good = good | ~is_transient()
    return good if policy.before is None else good & (F.col("fetched_at") >= F.lit(policy.before))


def lacks_features(slots: Sequence[ModelSlot]) -> Column:
    """Whether the image of a predictions row was read, but without a feature that its task has measured by now."""
    lacking = F.lit(False)
    for slot in slots:
        is_of_slot = (F.col("task") == slot.task) & (F.col("model") == slot.model)
        for feature in slot.features:
            lacking = lacking | (is_of_slot & F.col(feature).isNull())
    return lacking & F.col("outcome").eqNullSafe(Outcome.OK.value)


def images(rows: DataFrame) -> DataFrame:
    """One row per (eolMediaURL, dataObjectVersionID), with the first bundle row that names it and their number."""
    first = F.min(F.struct("bundle", "bundle_row", "identifier", "ancestry")).alias("first")
    return rows.groupBy("eolMediaURL", "dataObjectVersionID").agg(
        first, F.count(F.lit(1)).alias("rows"), F.max("is_usable").alias("is_usable")
    )


def with_models(
    images: DataFrame, predictions: DataFrame | None, slots: Sequence[ModelSlot], policy: RefreshPolicy
) -> DataFrame:
    """`images` with `models`: the keys of the models that have no answer for it among the predictions.

    A row without a version is content with a prediction of any version of its URL.
    """
    every = F.array(*[F.lit(slot.key) for slot in slots])
    if predictions is None:
        return images.withColumn("models", every)
    key = F.concat_ws("/", "task", "model", "model_version")
    wanted = [f"{slot.key}/{slot.version}" for slot in slots]
    known = (
        predictions.where(key.isin(wanted))
        .where(is_answer(policy) & ~lacks_features(slots))
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
