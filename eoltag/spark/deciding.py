"""Predictions to tags: joins every bundle row with its standing prediction and applies the task's rules."""

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, MapType, NullType, StringType, StructField, StructType

from eoltag.decide import Task, extra_columns, rule_conditions, rule_expression, tag_expression, tsv_columns
from eoltag.errors import TaskError
from eoltag.records import TRANSIENT, Outcome
from eoltag.spark.schemas import FLAT, IDENTITY, PREDICTIONS, TAG_MODEL


def standing(rows: DataFrame, predictions: DataFrame | None, task: Task) -> DataFrame:
    """Bundle rows with `by_model`: map<model, struct of FLAT columns>, the prediction that stands for each model.

    The latest one stands, but a failure that may pass by itself never displaces an answer.
    """
    identity = list(IDENTITY)
    if predictions is None:
        kind = MapType(StringType(), _struct(FLAT))
        return rows.select(*identity, F.lit(None).cast(kind).alias("by_model"))
    wanted = [f"{name}/{package.version}" for name, package in task.packages.items()]
    known = predictions.where(
        (F.col("task") == task.name) & F.concat_ws("/", "model", "model_version").isin(wanted)
    ).select(
        F.col("eolMediaURL").alias("known_url"),
        F.col("dataObjectVersionID").alias("known_version"),
        F.col("model").alias("known_model"),
        F.struct(
            (~F.col("outcome").isin([str(outcome) for outcome in sorted(TRANSIENT)])).alias("is_settled"),
            F.col("fetched_at").alias("at"),
            "run_id",
        ).alias("rank"),
        F.struct(*FLAT).alias("value"),
    )
    same = F.col("eolMediaURL").eqNullSafe(F.col("known_url")) & (
        F.col("dataObjectVersionID").isNull() | (F.col("dataObjectVersionID") == F.col("known_version"))
    )
    best = (
        rows.select(*identity)
        .join(known, on=same, how="left")
        .groupBy(*identity, "known_model")
        .agg(F.max_by("value", "rank").alias("value"))
    )
    entry = F.when(F.col("known_model").isNotNull(), F.struct("known_model", "value"))
    return best.groupBy(*identity).agg(F.map_from_entries(F.collect_list(entry)).alias("by_model"))


def tag_rows(rows: DataFrame, predictions: DataFrame | None, task: Task) -> DataFrame:
    """The tags table of a task: every row of `rows` once. outcome is NULL where nothing was predicted yet."""
    first = next(iter(task.packages))
    flat = _decision_input(standing(rows, predictions, task), task)
    extras = extra_columns(task)
    kept = [F.col("by_model")[name][column].alias(column) for name in [first] for column in TAG_MODEL]
    by_model = F.map_from_arrays(
        F.array(*[F.lit(name) for name in task.packages]),
        F.array(
            *[
                F.struct(*[F.col("by_model")[name][column].alias(column) for column in TAG_MODEL])
                for name in task.packages
            ]
        ),
    )
    return flat.select(
        *IDENTITY,
        "outcome",
        "detail",
        "http_status",
        F.expr(tag_expression(task)).alias("tag"),
        F.expr(rule_expression(task)).alias("rule"),
        *[F.expr(expression).alias(name) for name, expression in extras.items()],
        *kept,
        by_model.alias("models"),
        "fetched_at",
    )


def check_task(session: SparkSession, task: Task) -> None:
    """Let Spark read every expression of a task before any image is fetched. Raises TaskError."""
    flat = _empty(session, _decision_schema(task))
    for name, condition in rule_conditions(task):
        _analyse(flat, condition, f"{task.path}: rule '{name}'", is_filter=True)
    for rule in task.file.rules:
        if rule.tag_sql is not None:
            _analyse(flat, rule.tag_sql, f"{task.path}: tag_sql of rule '{rule.name}'")
    extras = [
        StructField(name, _analyse(flat, expression, f"{task.path}: extra column '{name}'"))
        for name, expression in extra_columns(task).items()
    ]
    for extra in extras:
        if extra.dataType == NullType():
            reason = "is always NULL; give it a type: CAST(NULL AS STRING)"
            raise TaskError(f"{task.path}: extra column '{extra.name}' {reason}")
    tags = _empty(session, StructType([*_tags_schema(task).fields, *extras]))
    for header, expression in tsv_columns(task):
        _analyse(tags, expression, f"{task.path}: TSV column '{header}'")


def _decision_schema(task: Task) -> StructType:
    """Of _decision_input."""
    columns = [StructField(name, kind) for name, kind in IDENTITY.items()]
    columns += [PREDICTIONS[name] for name in FLAT]
    return StructType([*columns, *[StructField(name, _struct(FLAT)) for name in task.packages]])


def _tags_schema(task: Task) -> StructType:
    """Of tag_rows, without the extra columns, and with a column per model as export_tsv adds them."""
    columns = [StructField(name, kind) for name, kind in IDENTITY.items()]
    columns += [PREDICTIONS[name] for name in ("outcome", "detail", "http_status", *TAG_MODEL, "fetched_at")]
    columns += [StructField(name, StringType()) for name in ("tag", "rule")]
    return StructType([*columns, *[StructField(name, _struct(TAG_MODEL)) for name in task.packages]])


def _empty(session: SparkSession, schema: StructType) -> DataFrame:
    """No rows, and nothing that Spark would have to run for them."""
    return session.range(0).select(F.from_json(F.lit("{}"), schema).alias("row")).select("row.*")


def _decision_input(stood: DataFrame, task: Task) -> DataFrame:
    """What rules see: bundle columns, FLAT columns of the first model, and one struct per model.

    With several models the outcome is the first that is not ok, and the other flat columns are the first model's.
    """
    models = list(task.packages)
    outcomes = [F.col("by_model")[name]["outcome"] for name in models]
    worst: Column = F.lit(Outcome.OK.value)
    for outcome in reversed(outcomes):
        worst = F.when(outcome.eqNullSafe(Outcome.OK.value), worst).otherwise(outcome)
    first = [F.col("by_model")[models[0]][column].alias(column) for column in FLAT if column != "outcome"]
    structs = [F.col("by_model")[name].alias(name) for name in models]
    return stood.select(*IDENTITY, "by_model", worst.alias("outcome"), *first, *structs)


def _analyse(rows: DataFrame, expression: str, where: str, *, is_filter: bool = False) -> DataType:
    """The type of the expression."""
    try:
        parsed = F.expr(expression)
        return (rows.filter(parsed) if is_filter else rows.select(parsed)).schema[0].dataType
    except (AnalysisException, ParseException) as problem:
        reason = " ".join(str(problem).split("\n== SQL")[0].split("\n;")[0].split("SQLSTATE")[0].split())
        raise TaskError(f"{where}: Spark refuses it: {reason}") from problem


def _struct(names: tuple[str, ...]) -> StructType:
    return StructType([StructField(name, PREDICTIONS[name].dataType) for name in names])
