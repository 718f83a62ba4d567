"""Hand-written rows for tests: bundle rows, and what is known of images, with only what a test cares about."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from eoltag.decide.task import ModelEntry, Rule, Task, TaskFile
from eoltag.model.card import CardInput
from eoltag.model.package import Card, Package
from eoltag.spark.decide.rules import Facts
from eoltag.spark.tables.facts import IMAGES, MEASURES, SCORES, append_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IMAGES as IMAGES_SCHEMA
from eoltag.spark.tables.schemas import MEASURED, ROWS
from eoltag.spark.tables.schemas import MEASURES as MEASURES_SCHEMA
from eoltag.spark.tables.schemas import SCORES as SCORES_SCHEMA

VERSION = "aaaaaaaaaaaa"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LABELS = ("bad", "good")


def bundle_rows(session: SparkSession, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """Rows of one bundle, numbered from 1 unless they say otherwise."""
    defaults = {"bundle": "list", "identifier": None, "dataObjectVersionID": None, "ancestry": None, "is_usable": True}
    full = [{**defaults, "bundle_row": number, **row} for number, row in enumerate(rows, 1)]
    return session.createDataFrame([[row.get(name) for name in ROWS.fieldNames()] for row in full], ROWS)


def facts(
    session: SparkSession,
    rows: Sequence[dict[str, Any]],
    labels: Sequence[str] = LABELS,
    versions: Mapping[str, str] | None = None,
) -> Facts:
    """What is known of images: each row is an answer of a server, and where it has a label or scores, a score as well.

    It says what a person would: label, confidence, logit of one of the labels of a card, or scores (its raw numbers);
    url stands for the content unless content_sha256 is given. model_version is VERSION, the outcome ok, unless they
    say otherwise. versions: of models by their names, for rows that say their `model`: each of these is one answer.
    """
    defaults = {"model_version": VERSION, "outcome": "ok", "attempts": 1, "asked_at": NOON, "run_id": "r1"}
    full = [_with_content({**defaults, **_of_model(row, versions or {}), **row}) for row in rows]
    images = [row for row in full if row.get("is_answer", True)]
    if versions:
        images = list({(row["eolMediaURL"], row["asked_at"]): row for row in reversed(images)}.values())
    scored = [row for row in full if row["outcome"] == "ok" and row.get("is_scored", True)]
    scores = {(row["content_sha256"], row["model_version"]): row for row in scored}
    measures = {
        (row["content_sha256"], name): [row["content_sha256"], name, row[name], row["run_id"]]
        for row in full
        for name in MEASURED
        if row.get(name) is not None
    }
    return Facts(
        _frame(session, images, IMAGES_SCHEMA),
        _frame(session, [_with_scores(row, labels) for row in scores.values()], SCORES_SCHEMA),
        session.createDataFrame(list(measures.values()), MEASURES_SCHEMA),
    )


def append(output: Output, known: Facts) -> None:
    """Commit facts as a wave does."""
    for table, rows in ((SCORES, known.scores), (MEASURES, known.measures), (IMAGES, known.images)):
        assert rows is not None
        if rows.count():
            append_facts(output, table, rows, rows.count())


def content_of(url: str | None) -> str:
    """The hash that stands for the content of a URL."""
    return hashlib.sha256(str(url).encode()).hexdigest()


def _with_content(row: dict[str, Any]) -> dict[str, Any]:
    content = row.get("content_sha256") or (content_of(row["eolMediaURL"]) if row["outcome"] == "ok" else None)
    return {**row, "content_sha256": content}


def _of_model(row: dict[str, Any], versions: Mapping[str, str]) -> dict[str, str]:
    return {"model_version": versions[row["model"]]} if "model" in row else {}


def _with_scores(row: dict[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    scores = raw_scores(row, labels)
    return {"engine": "openvino", "precision": "f32", "source": "fetch", "scored_at": NOON, **row, "scores": scores}


def raw_scores(row: dict[str, Any], labels: Sequence[str] = LABELS) -> list[float]:
    """Raw numbers that give the label, logit and confidence of a row: all other labels share what is left."""
    if "scores" in row:
        return [float(value) for value in row["scores"]]
    label, logit, confidence = row.get("label", labels[0]), row.get("logit", 1.0), row.get("confidence", 0.9)
    other = logit - math.log(confidence / (1 - confidence) * (len(labels) - 1))
    assert label in labels, row
    return [logit if name == label else other for name in labels]


def _frame(session: SparkSession, rows: Sequence[dict[str, Any]], schema: Any) -> DataFrame:
    return session.createDataFrame([[row.get(name) for name in schema.fieldNames()] for row in rows], schema)


def task(
    models: Sequence[str] = ("main",),
    thresholds: dict[str, float] | None = None,
    versions: Sequence[str] = (),
    labels: Sequence[str] = LABELS,
    **content: Any,
) -> Task:
    """A task over packages that only have a card. versions: of the models; all are VERSION unless given."""
    card = Card(
        card_version=1,
        name="kind",
        labels=tuple(labels),
        input=CardInput(height=32, width=32),
        thresholds=thresholds or {},
        files={},
    )
    entries = {name: ModelEntry(package=name) for name in models}
    file = TaskFile(**{"name": "kind", "models": entries, **content})
    of = dict(zip(models, versions or [VERSION] * len(models), strict=True))
    return Task(Path(f"{file.name}.toml"), file, {name: Package(Path(name), card, of[name]) for name in models})


def rule(name: str, when: str, tag: str) -> Rule:
    """A rule in one line."""
    return Rule(name=name, when=when, tag=tag)
