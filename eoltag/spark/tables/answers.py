"""Which answer of a server is the current one for each image."""

from collections.abc import Mapping, Sequence
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from eoltag.records import TRANSIENT, Outcome

_TRANSIENT: Final = [str(outcome) for outcome in sorted(TRANSIENT)]
_HASH: Final = "url hash"


def is_transient(outcome: str) -> Column:
    """Whether an outcome is a transient failure; false where there is none yet."""
    return F.coalesce(F.col(outcome).isin(_TRANSIENT), F.lit(False))


def is_imported() -> Column:
    """Whether an image is known by an imported vector alone: nobody asked for it, so that it has no version either."""
    return F.coalesce((F.col("attempts") == 0) & (F.col("outcome") == Outcome.OK.value), F.lit(False))


def with_answers(rows: DataFrame, images: DataFrame, keys: Sequence[str], columns: Mapping[str, str]) -> DataFrame:
    """`rows` with further columns (name -> column of the images table) of the current answer for each; NULL for none.

    rows: with eolMediaURL and dataObjectVersionID, and one for each value of `keys`. A row without a version takes an
    answer for any version of its URL, and any row takes what was imported for its URL. The latest answer is the current
    one, but a transient failure never takes the place of an image that was read.

    URLs are joined by their hash first: they begin alike, and would be compared to their ends.
    """
    known = images.select(
        F.xxhash64("eolMediaURL").alias("known_hash"),
        F.col("eolMediaURL").alias("known_url"),
        F.col("dataObjectVersionID").alias("known_version"),
        F.col("outcome").alias("known_outcome"),
        F.col("asked_at").alias("known_at"),
        F.col("run_id").alias("known_run"),
        is_imported().alias("known_is_imported"),
        *[F.col(column).alias(name) for name, column in columns.items()],
    )
    same = (
        (F.col(_HASH) == F.col("known_hash"))
        & F.col("eolMediaURL").eqNullSafe(F.col("known_url"))
        & (
            F.col("dataObjectVersionID").isNull()
            | (F.col("dataObjectVersionID") == F.col("known_version"))
            | F.col("known_is_imported")
        )
    )
    joined = rows.withColumn(_HASH, F.xxhash64("eolMediaURL")).join(known, on=same, how="left")
    if has_several(images):
        joined = _current(joined, [_HASH, *keys])
    return joined.select(*rows.columns, *columns)


def has_several(images: DataFrame) -> bool:
    """Whether some image has several answers. To choose takes longer than all the rest, and mostly there is one."""
    return bool(images.groupBy(F.xxhash64("eolMediaURL")).count().where("count > 1").take(1))


def _current(joined: DataFrame, keys: Sequence[str]) -> DataFrame:
    """One of the answers of each row."""
    window = Window.partitionBy(*keys)
    is_ok = F.col("known_outcome") == Outcome.OK.value
    settled_at = F.max(F.when(~is_transient("known_outcome"), F.col("known_at"))).over(window)
    is_protected = F.coalesce(is_ok & (F.col("known_at") == settled_at), F.lit(False))
    order = [is_protected.desc(), F.col("known_at").desc_nulls_last(), F.col("known_run").desc_nulls_last()]
    place = F.row_number().over(window.orderBy(*order))
    return joined.withColumn("place", place).where(F.col("place") == 1)


def latest_contents(images: DataFrame) -> DataFrame:
    """The latest answer by which each URL was read, whatever its version: all columns of the images table."""
    read = images.where(F.col("outcome") == Outcome.OK.value)
    order = Window.partitionBy("eolMediaURL").orderBy(F.col("asked_at").desc(), F.col("run_id").desc())
    return read.withColumn("place", F.row_number().over(order)).where(F.col("place") == 1).drop("place")
