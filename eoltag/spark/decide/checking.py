"""Refuses a task whose expressions Spark does not take, before any image is fetched."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import NullType, StructField, StructType

from eoltag.decide.tag_sql import given_expression, rule_expression, tag_expression
from eoltag.decide.task import (
    Task,
    bundle_columns,
    expressions,
    extra_columns,
    rule_conditions,
    tsv_columns,
    tsv_condition,
)
from eoltag.errors import TaskError
from eoltag.spark.decide.rules import decision_schema, tags_schema
from eoltag.spark.tables.schemas import FLAT, ROWS, TAG_MODEL
from eoltag.spark.tables.writers.registry import writers_of

_DATA_ERROR: Final = re.compile(r"\[[A-Z0-9_.]+\] ((?:(?!SQLSTATE).)+) SQLSTATE: 22", re.DOTALL)
"""Class 22 of the SQL standard's states: data exception."""
_UNDERLINED: Final = re.compile(r"^(.*)\n( *)(\^+)", re.MULTILINE)


def check_task(session: SparkSession, task: Task) -> None:
    """Let Spark analyse every expression of a task before any image is fetched. Raises TaskError.

    Spark may run what it analyses, so the task was read before: task.read_task refuses what no rule may hold.
    """
    writers_of(task)
    _check_bundle_columns(task)
    flat = _empty(session, decision_schema(task))
    for name, condition in rule_conditions(task):
        _analyse(flat, condition, f"{task.path}: rule '{name}'", is_condition=True)
    for rule in task.file.rules:
        if rule.tag_sql is not None:
            _analyse(flat, rule.tag_sql, f"{task.path}: tag_sql of rule '{rule.name}'")
    assembled_all = [given_expression(task)] if task.file.multiple else [tag_expression(task), rule_expression(task)]
    for assembled in assembled_all:
        _analyse(flat, assembled, f"{task.path}: its rules, taken together")
    extras = [
        _analyse(flat, expression, f"{task.path}: extra column '{name}'", name)
        for name, expression in extra_columns(task).items()
    ]
    _check_extras(task, extras)
    tags = _empty(session, StructType([*tags_schema(task).fields, *extras]))
    for header, expression in tsv_columns(task):
        _analyse(tags, expression, f"{task.path}: TSV column '{header}'")
    _analyse(tags, tsv_condition(task), f"{task.path}: where", is_condition=True)


def _check_bundle_columns(task: Task) -> None:
    """Refuse names that would mean two things in rules, and columns of bundles that are read anyway."""
    read = {name.lower() for name in ROWS.fieldNames()}
    taken = (
        read | {*FLAT, *TAG_MODEL, "tag", "rule", "models"} | ({"tags", "confidences"} if task.file.multiple else set())
    )
    for name, column in bundle_columns(task).items():
        if name.lower() in taken or column.lower() in read:
            given = f"'{name}'" if name == column else f"'{name}={column}'"
            raise TaskError(
                f"{task.path}: bundle_columns or --keep: {given} would be a second column of a name that is there"
            )


def _check_extras(task: Task, extras: list[StructField]) -> None:
    taken = set(tags_schema(task).fieldNames())
    for extra in extras:
        if extra.dataType == NullType():
            reason = "is always NULL; give it a type: CAST(NULL AS STRING)"
            raise TaskError(f"{task.path}: extra column '{extra.name}' {reason}")
        if extra.name in taken:
            raise TaskError(f"{task.path}: extra column '{extra.name}': the tags table has a column of that name")


def _empty(session: SparkSession, schema: StructType) -> DataFrame:
    """No rows, and nothing that Spark would have to run for them."""
    return session.range(0).select(F.from_json(F.lit("{}"), schema).alias("row")).select("row.*")


def _analyse(rows: DataFrame, text: str, where: str, name: str = "", *, is_condition: bool = False) -> StructField:
    """The expression as a column of this name. Raises TaskError."""
    try:
        value = F.expr(text)
        found = (rows.filter(value) if is_condition else rows.select(value)).schema[0]
    except (AnalysisException, ParseException) as problem:
        raise TaskError(f"{where}: Spark refuses it: {reason_of(problem)}") from problem
    return StructField(name, found.dataType)


@contextmanager
def naming_the_rule(session: SparkSession, task: Task) -> Iterator[None]:
    """Values that an expression cannot take (a CAST that fails, a division by 0) end in one line. Raises TaskError."""
    session.sparkContext.setLogLevel("FATAL")  # Spark would log the stack of what is said here in a line
    try:
        yield
    except PySparkException as problem:
        found = _DATA_ERROR.search(str(problem))
        if found is None:
            raise
        reason = " ".join(found.group(1).split())
        raise TaskError(f"{_place_of(str(problem), task)}: {reason} (tags and TSV stay as they were)") from problem
    finally:
        session.sparkContext.setLogLevel("ERROR")


def _place_of(text: str, task: Task) -> str:
    """The rule or column whose expression Spark has underlined."""
    underlined = _UNDERLINED.search(text)
    part = ""
    if underlined is not None:
        line, left, marks = underlined.groups()
        part = line[len(left) : len(left) + len(marks)].strip()
    places = (place for place, expression in expressions(task) if part and part in expression)
    return f"{task.path}: {next(places, 'one of its expressions')}"


def reason_of(problem: Exception) -> str:
    """What Spark says, without the query and the plan."""
    return " ".join(str(problem).split("\n== SQL")[0].split("\n;")[0].split("SQLSTATE")[0].split())
