"""Facts to tags: joins every bundle row with its answer and the scores of its content, and applies the rules."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DoubleType, FloatType, StringType, StructField, StructType

from eoltag.decide.tag_sql import confidences_of_tags, given_expression, rule_expression, tag_expression
from eoltag.decide.task import Task, bundle_columns, extra_columns, text_literal
from eoltag.model.outputs import OUTPUTS
from eoltag.model.package import Card
from eoltag.records import JOINER, Outcome
from eoltag.spark.decide.judgements import PERSON, read_judgements
from eoltag.spark.tables.answers import with_answers
from eoltag.spark.tables.facts import IMAGES, MEASURES, SCORES, read_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import (
    ANSWER,
    FLAT,
    IDENTITY,
    MEASURED,
    PREDICTED,
    SCORE,
    TAG_MODEL,
    quoted,
)
from eoltag.spark.tables.schemas import (
    SCORES as SCORES_SCHEMA,
)

ANSWERED: Final = (
    "outcome", "detail", "http_status", "width", "height", "color_mode", "bytes", "content_sha256", "perceptual_hash",
    "asked_at",
)  # fmt: skip


_SAID: Final = "said tag"
"""No rule can mean a column of this name."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The tables that tags follow from; None for one without rows."""

    images: DataFrame | None
    scores: DataFrame | None
    measures: DataFrame | None
    judgements: DataFrame | None = None
    """What people agree on: task, content_sha256, said_tag."""

    def until(self, run: str | None) -> "Facts":
        """What was known when that run had ended; all for None."""
        if run is None:
            return self
        tables = (self.images, self.scores, self.measures)
        images, scores, measures = (None if rows is None else rows.where(F.col("run_id") <= run) for rows in tables)
        return Facts(images, scores, measures, self.judgements)


def facts_of(output: Output) -> Facts:
    """The facts of an output directory, as they are now."""
    images, scores, measures = (read_facts(output, table) for table in (IMAGES, SCORES, MEASURES))
    return Facts(images, scores, measures, read_judgements(output))


def with_facts(rows: DataFrame, facts: Facts, task: Task) -> DataFrame:
    """Bundle rows with `answer COLUMN` of their image, `MODEL COLUMN` of each model and `measure NAME`; NULL for none.

    Columns stay apart until a rule uses them, so that Spark reads no others.
    """
    further = [F.col(quoted(column)).alias(name) for name, column in bundle_columns(task).items()]
    bare = rows.select(*IDENTITY, *further)
    names = {_answer(column): column for column in ANSWERED}
    if facts.images is None:
        found = bare.withColumns({name: F.lit(None).cast(ANSWER[column]) for name, column in names.items()})
    else:
        found = with_answers(bare, facts.images, ["eolMediaURL", "bundle", "bundle_row"], names)
    for model, package in task.packages.items():
        scores = None if facts.scores is None else facts.scores.where(F.col("model_version") == package.version)
        found = _by_content(found, scores, {_of_model(model, "raw"): "scores"}, SCORES_SCHEMA)
    for name in task.file.features:
        measures = None if facts.measures is None else facts.measures.where(F.col("name") == name)
        found = _by_content(found, measures, {_measure(name): "value"}, None)
    return found


def _by_content(
    rows: DataFrame, facts: DataFrame | None, columns: Mapping[str, str], schema: StructType | None
) -> DataFrame:
    """`rows` with columns (name -> column of `facts`) of their content."""
    if facts is None:
        kinds: dict[str, DataType] = {} if schema is None else {field.name: field.dataType for field in schema.fields}
        return rows.withColumns({name: F.lit(None).cast(kinds.get(of, "double")) for name, of in columns.items()})
    known = facts.select(
        F.col("content_sha256").alias("known_content"), *[F.col(of).alias(name) for name, of in columns.items()]
    )
    same = F.col(_answer("content_sha256")) == F.col("known_content")
    return rows.join(known, on=same, how="left").drop("known_content")


def worker_columns(task: Task) -> StructType:
    """What `with_facts` adds to rows: for a worker that finds it out itself.

    In their order: the answer (ANSWERED), the raw scores of each model, each measure.
    """
    answers = [StructField(_answer(column), ANSWER[column]) for column in ANSWERED]
    scores = [StructField(_of_model(model, "raw"), SCORE["scores"]) for model in task.packages]
    return StructType([*answers, *scores, *[StructField(_measure(name), DoubleType()) for name in task.file.features]])


def tag_found(found: DataFrame, task: Task, carried: str) -> DataFrame:
    """The columns that rules may use of the image and the first model (FLAT), tag and rule, beside `carried`.

    found: IDENTITY, the bundle columns of the task, its worker_columns, and the column `carried`.
    """
    given = tags_given(task)
    tag, rule = given["tag"].alias("tag"), given["rule"].alias("rule")
    return _decision_input(found, task, [carried]).select(F.col(quoted(carried)), *FLAT, tag, rule)


def tag_rows(rows: DataFrame, facts: Facts, task: Task) -> DataFrame:
    """The tags table of a task: every row of `rows` once. outcome is NULL where an answer is still to come.

    What people say of an image goes before the rules.
    """
    found = with_facts(rows, facts, task)
    if facts.judgements is None:
        return _tagged(_decision_input(found, task), task, None)
    said = facts.judgements.where(F.col("task") == task.name)
    judged = _by_content(found, said, {_SAID: "said_tag"}, None)
    return _tagged(_decision_input(judged, task, [_SAID]), task, _SAID)


def _tagged(flat: DataFrame, task: Task, said: str | None) -> DataFrame:
    """The tags table from what rules see (_decision_input). said: the column with what people say, if there is one."""
    given = tags_given(task)
    if said is not None:
        is_said = (F.col("outcome") == Outcome.OK.value) & F.col(quoted(said)).isNotNull()
        by_person = _given_by_person(task, quoted(said))
        given = {name: F.when(is_said, by_person[name]).otherwise(column) for name, column in given.items()}
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
        *[column.alias(name) for name, column in given.items()],
        *bundle_columns(task),
        *task.file.features,
        *[F.expr(expression).alias(name) for name, expression in extra_columns(task).items()],
        *TAG_MODEL,
        by_model.alias("models"),
        "fetched_at",
    )


def tags_given(task: Task) -> dict[str, Column]:
    """tag and rule; of a task with several tags also `tags`, each once, in the order of the rules, and `confidences`.

    The confidences are those of the tags, one by one.
    """
    if not task.file.multiple:
        return {"tag": F.expr(tag_expression(task)), "rule": F.expr(rule_expression(task))}
    given = F.expr(given_expression(task))
    names = F.transform(given, lambda one: one["tag"])
    once = F.filter(given, lambda one, at: F.array_position(names, one["tag"]) == at + 1)
    tags, rules = F.transform(once, lambda one: one["tag"]), F.transform(once, lambda one: one["rule"])
    return {
        "tag": _joined(tags, task),
        "rule": F.when(F.size(tags) > 0, F.array_join(rules, JOINER)),
        "tags": tags,
        "confidences": F.transform(once, lambda one: one["confidence"]),
    }


def _given_by_person(task: Task, said: str) -> dict[str, Column]:
    """What tags_given gives, where people say so. said: SQL of their tag; of several, joined in any order."""
    if not task.file.multiple:
        return {"tag": F.expr(said), "rule": F.lit(PERSON)}
    sure = confidences_of_tags(task)
    known = F.array(*[F.lit(tag) for tag in sure]).cast("array<string>")
    claimed = F.array_except(F.split(said, re.escape(JOINER)), F.array(F.lit(task.file.missing)))
    tags = F.concat(F.array_intersect(known, claimed), F.array_except(claimed, known))

    def sure_of(tag: Column) -> Column:
        found = F.col("confidence")
        for name, confidence in sure.items():
            found = F.when(tag == name, F.expr(confidence)).otherwise(found)
        return found

    confidences = F.transform(tags, sure_of)
    return {"tag": _joined(tags, task), "rule": F.lit(PERSON), "tags": tags, "confidences": confidences}


def _joined(tags: Column, task: Task) -> Column:
    """The tags of an image as one text; NULL for an image that failed."""
    return F.when(F.size(tags) > 0, F.array_join(tags, JOINER)).when(F.size(tags) == 0, F.lit(task.file.missing))


def decision_schema(task: Task) -> StructType:
    """What rules see."""
    columns = [*_bundle_fields(task), *_fields(_flat(task))]
    return StructType([*columns, *[StructField(name, StructType(_fields(_flat(task)))) for name in task.packages]])


def tags_schema(task: Task) -> StructType:
    """Columns of the tags table without the extra ones, and with one per model, which TSV columns may name."""
    columns = _bundle_fields(task)
    columns += _fields(("outcome", "detail", "http_status", *task.file.features, *TAG_MODEL, "fetched_at"))
    columns += [StructField(name, StringType()) for name in ("tag", "rule")]
    if task.file.multiple:
        columns += [StructField("tags", ArrayType(StringType())), StructField("confidences", ArrayType(FloatType()))]
    return StructType([*columns, *[StructField(name, StructType(_fields(TAG_MODEL))) for name in task.packages]])


def _bundle_fields(task: Task) -> list[StructField]:
    """The columns that come from the bundle."""
    columns = {**IDENTITY, **dict.fromkeys(bundle_columns(task), StringType())}
    return [StructField(name, kind) for name, kind in columns.items()]


def _decision_input(rows: DataFrame, task: Task, carried: Sequence[str] = ()) -> DataFrame:
    """What rules see: bundle columns, columns of the image and the first model, and one struct per model.

    carried: columns that ride along, of names that no rule can mean.
    With several models the outcome is the first that is not ok, and the other flat columns are the first model's.
    """
    by_model = {name: _columns(name, package.card, package.version, task) for name, package in task.packages.items()}
    worst: Column = F.lit(Outcome.OK.value)
    for columns in reversed(by_model.values()):
        worst = F.when(columns["outcome"].eqNullSafe(Outcome.OK.value), worst).otherwise(columns["outcome"])
    structs = [
        F.struct(*[column.alias(name) for name, column in columns.items()]).alias(model)
        for model, columns in by_model.items()
    ]
    given = [*IDENTITY, *bundle_columns(task), *map(quoted, carried)]
    staged = rows.select(*given, worst.alias("outcome"), *structs)
    first = next(iter(task.packages))
    flat = [F.col(first)[name].alias(name) for name in _flat(task) if name != "outcome"]
    return staged.select(*given, "outcome", *flat, *task.packages)


def _columns(model: str, card: Card, version: str, task: Task) -> dict[str, Column]:
    """Name -> column of everything that a rule may know of one model, from `with_facts`.

    An image that was read, and that the model has not scored, has no outcome yet.
    """
    raw, answered = F.col(quoted(_of_model(model, "raw"))), F.col(quoted(_answer("outcome")))
    is_ok = answered == Outcome.OK.value
    verdict = verdict_columns(quoted(_of_model(model, "raw")), card)
    found = {
        "outcome": F.when(~is_ok | raw.isNotNull(), answered),
        **{name: F.when(is_ok, column) for name, column in verdict.items()},
        "model_version": F.when(~is_ok | raw.isNotNull(), F.lit(version)),
        "fetched_at": F.col(quoted(_answer("asked_at"))),
        **{name: F.col(quoted(_measure(name))) for name in task.file.features},
    }
    return {name: found[name] if name in found else F.col(quoted(_answer(name))) for name in _flat(task)}


def verdict_columns(raw: str, card: Card) -> dict[str, Column]:
    """label, confidence, logit, scores and logits from an array of raw numbers. raw: SQL."""
    labels = f"array({', '.join(text_literal(label) for label in card.labels)})"
    sql = OUTPUTS[card.output_kind].spark.filled(raw, labels, f"{card.temperature!r}D")
    columns = {name: F.expr(text) for name, text in sql.items()}
    return {**columns, "logits": F.expr(f"map_from_arrays({labels}, {raw})")}


def _flat(task: Task) -> tuple[str, ...]:
    """Columns that the rules of a task may use."""
    return (*FLAT, *task.file.features)


def _fields(names: tuple[str, ...]) -> list[StructField]:
    kinds = {**PREDICTED, **MEASURED}
    return [StructField(name, kinds[name]) for name in names]


def _answer(column: str) -> str:
    """A column of the answer between `with_facts` and the rules; no rule can mean it."""
    return f"answer {column}"


def _of_model(model: str, column: str) -> str:
    return f"{model} {column}"


def _measure(name: str) -> str:
    return f"measure {name}"
