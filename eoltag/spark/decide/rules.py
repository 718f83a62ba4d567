"""Predictions to tags: joins every bundle row with its latest prediction and applies the rules of the task."""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from eoltag.decide.task import Task, bundle_columns, extra_columns, rule_expression, tag_expression
from eoltag.records import Outcome
from eoltag.spark.predict.subtraction import is_transient
from eoltag.spark.tables.schemas import FLAT, IDENTITY, PREDICTIONS, TAG_MODEL, quoted

_HASH: Final = "url hash"


def with_latest(rows: DataFrame, predictions: DataFrame | None, task: Task) -> DataFrame:
    """Bundle rows with the latest prediction of each model: columns `MODEL COLUMN`, NULL where there is none.

    A transient failure never displaces an answer, however late it came.
    """
    further = [F.col(quoted(column)).alias(name) for name, column in bundle_columns(task).items()]
    found = rows.select(*IDENTITY, *further, _hash("eolMediaURL"))
    for model, package in task.packages.items():
        names = [_column_name(model, column) for column in _flat(task)]
        if predictions is None:
            none = [F.lit(None).cast(PREDICTIONS[column].dataType) for column in _flat(task)]
            found = found.withColumns(dict(zip(names, none, strict=True)))
            continue
        is_wanted = (
            (F.col("task") == task.name) & (F.col("model") == model) & (F.col("model_version") == package.version)
        )
        columns = dict(zip(names, _flat(task), strict=True))
        found = _latest(found, predictions.where(is_wanted), columns)
    return found


def _latest(rows: DataFrame, predictions: DataFrame, columns: dict[str, str]) -> DataFrame:
    """`rows` with further columns (name -> column of `predictions`) from the latest prediction for each row.

    Columns stay apart until a rule uses them, so that Spark reads no others. URLs are joined by their hash first: they
    begin alike, and would be compared to their ends. Looks through the URLs once: to choose among several predictions
    of an image takes longer than all the rest, and mostly there is one.
    """
    known = predictions.select(
        F.xxhash64("eolMediaURL").alias("known_hash"),
        F.col("eolMediaURL").alias("known_url"),
        F.col("dataObjectVersionID").alias("known_version"),
        (~is_transient()).alias("known_settled"),
        F.col("fetched_at").alias("known_at"),
        F.col("run_id").alias("known_run"),
        *[F.col(column).alias(name) for name, column in columns.items()],
    )
    same = (
        (F.col(_HASH) == F.col("known_hash"))
        & F.col("eolMediaURL").eqNullSafe(F.col("known_url"))
        & (F.col("dataObjectVersionID").isNull() | (F.col("dataObjectVersionID") == F.col("known_version")))
    )
    order = [F.col(name).desc_nulls_last() for name in ("known_settled", "known_at", "known_run")]
    place = F.row_number().over(Window.partitionBy(_HASH, "eolMediaURL", "bundle", "bundle_row").orderBy(*order))
    joined = rows.join(known, on=same, how="left")
    if known.groupBy("known_hash").count().where(F.col("count") > 1).take(1):
        joined = joined.withColumn("place", place).where(F.col("place") == 1)
    return joined.select(*rows.columns, *columns)


def tag_rows(rows: DataFrame, predictions: DataFrame | None, task: Task) -> DataFrame:
    """The tags table of a task: every row of `rows` once. outcome is NULL where nothing was predicted yet."""
    return _tagged(_decision_input(with_latest(rows, predictions, task), task), task)


def _tagged(flat: DataFrame, task: Task) -> DataFrame:
    """The tags table from what rules see (_decision_input)."""
    by_model = F.create_map(
        *[
            part
            for name in task.packages
            for part in (F.lit(name), F.struct(*[F.col(name)[column].alias(column) for column in TAG_MODEL]))
        ]
    )
    return flat.select(
        *IDENTITY,
        "outcome",
        "detail",
        "http_status",
        F.expr(tag_expression(task)).alias("tag"),
        F.expr(rule_expression(task)).alias("rule"),
        *bundle_columns(task),
        *task.file.features,
        *[F.expr(expression).alias(name) for name, expression in extra_columns(task).items()],
        *TAG_MODEL,
        by_model.alias("models"),
        "fetched_at",
    )


def _flat(task: Task) -> tuple[str, ...]:
    """Prediction columns that the rules of a task may use."""
    return (*FLAT, *task.file.features)


def _column_name(model: str, column: str) -> str:
    """The name of a model's column between `with_latest` and the rules; no rule can mean it."""
    return f"{model} {column}"


def _hash(column: str) -> Column:
    return F.xxhash64(column).alias(_HASH)


def decision_schema(task: Task) -> StructType:
    """What rules see."""
    columns = [*_bundle_fields(task), *[PREDICTIONS[name] for name in _flat(task)]]
    return StructType([*columns, *[StructField(name, _struct(_flat(task))) for name in task.packages]])


def tags_schema(task: Task) -> StructType:
    """Columns of the tags table without the extra ones, and with one per model, which TSV columns may name."""
    columns = _bundle_fields(task)
    names = ("outcome", "detail", "http_status", *task.file.features, *TAG_MODEL, "fetched_at")
    columns += [PREDICTIONS[name] for name in names]
    columns += [StructField(name, StringType()) for name in ("tag", "rule")]
    return StructType([*columns, *[StructField(name, _struct(TAG_MODEL)) for name in task.packages]])


def _bundle_fields(task: Task) -> list[StructField]:
    """The columns that come from the bundle."""
    columns = {**IDENTITY, **dict.fromkeys(bundle_columns(task), StringType())}
    return [StructField(name, kind) for name, kind in columns.items()]


def _decision_input(rows: DataFrame, task: Task) -> DataFrame:
    """What rules see: bundle columns, FLAT columns and features of the first model, and one struct per model.

    With several models the outcome is the first that is not ok, and the other flat columns are the first model's.
    """
    models = list(task.packages)
    worst: Column = F.lit(Outcome.OK.value)
    for model in reversed(models):
        outcome = F.col(_column_name(model, "outcome"))
        worst = F.when(outcome.eqNullSafe(Outcome.OK.value), worst).otherwise(outcome)
    first = [F.col(_column_name(models[0], column)).alias(column) for column in _flat(task) if column != "outcome"]
    structs = [
        F.struct(*[F.col(_column_name(model, column)).alias(column) for column in _flat(task)]).alias(model)
        for model in models
    ]
    return rows.select(*IDENTITY, *bundle_columns(task), worst.alias("outcome"), *first, *structs)


def _struct(names: tuple[str, ...]) -> StructType:
    return StructType([StructField(name, PREDICTIONS[name].dataType) for name in names])
