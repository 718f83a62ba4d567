"""Refuses a task whose expressions Spark does not take, or whose rules can never fire, before any image is fetched."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pyspark.errors import AnalysisException, ParseException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, NullType, StructField, StructType

from eoltag.decide.conditions import (
    Case,
    Compared,
    Condition,
    Joined,
    Literally,
    Negated,
    Opaque,
    Values,
    compared_with,
    why_never,
)
from eoltag.decide.task import Task, bundle_columns, extra_columns, rule_conditions, tsv_columns, tsv_condition
from eoltag.errors import TaskError
from eoltag.records import Outcome
from eoltag.spark.decide.rules import decision_schema, tags_schema
from eoltag.spark.tables.schemas import FLAT, PREDICTIONS, ROWS, TAG_MODEL

_LARGEST_NORM: Final = 85.0
"""255 differences of hue over three values a pixel."""
_SIGNS: Final = {
    "EqualTo": "=",
    "EqualNullSafe": "=",
    "GreaterThan": ">",
    "GreaterThanOrEqual": ">=",
    "LessThan": "<",
    "LessThanOrEqual": "<=",
}
_DATA_ERROR: Final = re.compile(r"\[[A-Z0-9_.]+\] ((?:(?!SQLSTATE).)+) SQLSTATE: 22", re.DOTALL)
"""Class 22 of the SQL standard's states: data exception."""
_UNDERLINED: Final = re.compile(r"^(.*)\n( *)(\^+)", re.MULTILINE)
_TURNED: Final = {"=": "=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_NUMBERS: Final = ("tinyint", "smallint", "integer", "long", "float", "double", "decimal")


def check_task(session: SparkSession, task: Task) -> None:
    """Let Spark read every expression of a task before any image is fetched. Raises TaskError."""
    _check_bundle_columns(task)
    flat = _empty(session, decision_schema(task))
    trees = [
        (name, _condition(flat, condition, f"{task.path}: rule '{name}'", task))
        for name, condition in rule_conditions(task)
    ]
    for rule in task.file.rules:
        if rule.tag_sql is not None:
            _analyse(flat, rule.tag_sql, f"{task.path}: tag_sql of rule '{rule.name}'")
    extras = [
        StructField(name, _analyse(flat, expression, f"{task.path}: extra column '{name}'"))
        for name, expression in extra_columns(task).items()
    ]
    _check_extras(task, extras)
    _check_rules(task, trees)
    tags = _empty(session, StructType([*tags_schema(task).fields, *extras]))
    for header, expression in tsv_columns(task):
        _analyse(tags, expression, f"{task.path}: TSV column '{header}'")
    where = _condition(tags, tsv_condition(task), f"{task.path}: where", task)
    _check_labels(task, where, f"{task.path}: where")
    reason = why_never(where, {**_domains(task), **_tag_domain(task)}, [])
    if reason:
        raise TaskError(f"{task.path}: where would leave every TSV empty: {reason}")


def _check_extras(task: Task, extras: list[StructField]) -> None:
    taken = set(tags_schema(task).fieldNames())
    for extra in extras:
        if extra.dataType == NullType():
            reason = "is always NULL; give it a type: CAST(NULL AS STRING)"
            raise TaskError(f"{task.path}: extra column '{extra.name}' {reason}")
        if extra.name in taken:
            raise TaskError(f"{task.path}: extra column '{extra.name}': the tags table has a column of that name")


def _check_bundle_columns(task: Task) -> None:
    """Names in rules that would mean two things, and columns of bundles that are read anyway."""
    own = {*ROWS.fieldNames(), *FLAT, *TAG_MODEL, "tag", "rule", "models"}
    taken = {name.lower() for name in own}
    for name, column in bundle_columns(task).items():
        if name.lower() in taken or column.lower() in {field.lower() for field in ROWS.fieldNames()}:
            raise TaskError(
                f"{task.path}: bundle_columns: '{name}' (column '{column}') is a column of every tags table"
            )


def _check_rules(task: Task, trees: list[tuple[str, Condition]]) -> None:
    for at, (name, condition) in enumerate(trees):
        where = f"{task.path}: rule '{name}'"
        _check_labels(task, condition, where)
        reason = why_never(condition, _domains(task), trees[:at])
        if reason:
            raise TaskError(f"{where} can never fire: {reason}")


def _check_labels(task: Task, condition: Condition, where: str) -> None:
    """A label that no package has is a slip, even where the rule may fire for another reason."""
    domains = _domains(task)
    for term, value in compared_with(condition):
        known = domains[term].among if term.endswith("label") and term in domains else None
        if known is not None and value not in known:
            raise TaskError(f"{where}: the package has no label '{value}'; it has {', '.join(sorted(map(str, known)))}")


def _domains(task: Task) -> Case:
    """What a rule can meet: it is only asked about images that every model has read."""
    share, norm = Values(low=0.0, high=1.0, may_be_null=False), Values(low=0.0, high=_LARGEST_NORM, may_be_null=False)
    domains = {"outcome": Values(among=frozenset({Outcome.OK.value}), may_be_null=False)}
    domains |= dict.fromkeys(task.file.features, norm)
    for at, (model, package) in enumerate(task.packages.items()):
        prefix = "" if at == 0 else f"{model}."
        labels: frozenset[Any] = frozenset(package.card.labels)
        domains[f"{prefix}label"] = Values(among=labels, may_be_null=False)
        domains[f"{prefix}confidence"] = share
        domains[f"{prefix}logit"] = Values(may_be_null=False)
        domains |= {f"{prefix}scores[{label}]": share for label in package.card.labels}
    return domains


def _tag_domain(task: Task) -> Case:
    """The tags of images that were read, where no rule computes others than labels."""
    if any(rule.tag_sql not in (None, "label") for rule in task.file.rules):
        return {}
    tags: set[Any] = {task.file.missing, *(rule.tag for rule in task.file.rules if rule.tag is not None)}
    if any(rule.tag_sql for rule in task.file.rules):
        tags |= set(next(iter(task.packages.values())).card.labels)
    return {"tag": Values(among=frozenset(tags), may_be_null=False)}


def _empty(session: SparkSession, schema: StructType) -> DataFrame:
    """No rows, and nothing that Spark would have to run for them."""
    return session.range(0).select(F.from_json(F.lit("{}"), schema).alias("row")).select("row.*")


def _analyse(rows: DataFrame, expression: str, where: str) -> DataType:
    """The type of the expression."""
    try:
        return rows.select(F.expr(expression)).schema[0].dataType
    except (AnalysisException, ParseException) as problem:
        raise TaskError(f"{where}: Spark refuses it: {reason_of(problem)}") from problem


def _condition(rows: DataFrame, expression: str, where: str, task: Task) -> Condition:
    """The condition as Spark understands it."""
    try:
        filtered: Any = rows.filter(F.expr(expression))
        text = filtered._jdf.queryExecution().analyzed().expressions().head().toJSON()
    except (AnalysisException, ParseException) as problem:
        raise TaskError(f"{where}: Spark refuses it: {reason_of(problem)}") from problem
    return _Reader(task).condition(_tree(iter(json.loads(text))))


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
    named = [(f"rule '{name}'", condition) for name, condition in rule_conditions(task)]
    named += [(f"extra column '{name}'", expression) for name, expression in extra_columns(task).items()]
    named += [(f"TSV column '{name}'", expression) for name, expression in tsv_columns(task)]
    named += [("where", tsv_condition(task))]
    place = next((name for name, expression in named if part and part in expression), "one of its expressions")
    return f"{task.path}: {place}"


def reason_of(problem: Exception) -> str:
    """What Spark says, without the query and the plan."""
    return " ".join(str(problem).split("\n== SQL")[0].split("\n;")[0].split("SQLSTATE")[0].split())


def _tree(nodes: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Spark writes a tree as a list, each node before its children."""
    node = dict(next(nodes))
    node["kind"] = node["class"].rpartition(".")[2]
    node["children"] = [_tree(nodes) for _ in range(node["num-children"])]
    return node


class _Reader:
    """Spark's tree to a Condition; holds the model that bare names mean, and what BETWEEN names once."""

    def __init__(self, task: Task) -> None:
        self.first = next(iter(task.packages))
        self.common: dict[str, Any] = {}

    def condition(self, node: dict[str, Any]) -> Condition:
        """What is not looked into becomes Opaque."""
        kind, children = node["kind"], node["children"]
        if kind == "Between" and len(children) == 1:
            return self.condition(children[0])
        if kind == "Cast" and children[0]["kind"] == "Literal" and children[0]["value"] is None:
            return Literally(None)
        if kind == "With":
            for definition in children[1:]:
                self.common[_id(definition)] = definition["children"][0]
            return self.condition(children[0])
        if kind in ("And", "Or"):
            return Joined("and" if kind == "And" else "or", tuple(self.condition(child) for child in children))
        if kind == "Not":
            return Negated(self.condition(children[0]))
        if kind == "Literal":
            return Literally({"true": True, "false": False}.get(str(node["value"])))
        if kind in _SIGNS:
            return self._comparison(kind, children) or self._opaque(node)
        if kind in ("In", "InSet") and len(children) > 1:
            parts = [self._comparison("EqualTo", [children[0], choice]) for choice in children[1:]]
            known = [part for part in parts if part is not None]
            if len(known) == len(parts):
                return Joined("or", tuple(known))
        return self._opaque(node)

    def _comparison(self, kind: str, sides: list[dict[str, Any]]) -> Condition | None:
        left, right = (_bare(self._resolved(side)) for side in sides)
        sign = _SIGNS[kind]
        if left["kind"] == "Literal":
            left, right, sign = right, left, _TURNED[sign]
        if right["kind"] != "Literal":
            return None
        value = _value(right)
        if left["kind"] == "Literal":
            return Literally(_value(left) == value) if sign == "=" and value is not None else None
        if value is None:
            return None if kind == "EqualNullSafe" else Literally(None)
        if isinstance(value, bool) or (isinstance(value, str) and sign != "="):
            return None
        compared = Compared(self._term(left), sign, value)
        # Unlike = it is false, not NULL, where the column is NULL; as a rule, that comes to the same.
        return Joined("and", (compared, Opaque(f"{compared.term} is there"))) if kind == "EqualNullSafe" else compared

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        if node["kind"] == "CommonExpressionRef":
            return dict(self.common.get(_id(node), node))
        return {**node, "children": [self._resolved(child) for child in node["children"]]}

    def _term(self, node: dict[str, Any]) -> str:
        """The name of what is compared, in the words of a task file where it is a column."""
        children = [_bare(child) for child in node["children"]]
        if node["kind"] == "AttributeReference":
            return str(node["name"])
        if node["kind"] == "GetStructField":
            model = self._term(children[0])
            return str(node["name"]) if model == self.first else f"{model}.{node['name']}"
        if node["kind"] in ("GetMapValue", "ElementAt") and children[1]["kind"] == "Literal":
            return f"{self._term(children[0])}[{children[1]['value']}]"
        details = ",".join(f"{key}={node[key]}" for key in ("value", "dataType") if node.get(key) is not None)
        return f"{node['kind']}({details};{', '.join(self._term(child) for child in node['children'])})"

    def _opaque(self, node: dict[str, Any]) -> Opaque:
        return Opaque(self._term(self._resolved(node)))


def _id(node: dict[str, Any]) -> str:
    return json.dumps(node.get("id"), sort_keys=True)


def _bare(node: dict[str, Any]) -> dict[str, Any]:
    """Without casts from number to number and text to text, which change no comparison."""
    while node["kind"] == "Cast" and _family(node) == _family(node["children"][0]) != "other":
        node = node["children"][0]
    return node


def _family(node: dict[str, Any]) -> str:
    kind = str(node.get("dataType", ""))
    if node["kind"] == "GetStructField" and node["name"] in PREDICTIONS.fieldNames():
        kind = str(PREDICTIONS[node["name"]].dataType.jsonValue())
    elif node["kind"] in ("GetMapValue", "ElementAt"):
        kind = "float"  # scores
    return "number" if kind.startswith(_NUMBERS) else "text" if kind == "string" else "other"


def _value(node: dict[str, Any]) -> str | float | bool | None:
    if node["value"] is None:
        return None
    if _family(node) == "number":
        return float(node["value"])
    return {"true": True, "false": False}[node["value"]] if node["dataType"] == "boolean" else str(node["value"])
