"""Hand-written rows for tests: a bundle row or a prediction with only what a test cares about spelled out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from eoltag.decide.task import ModelEntry, Rule, Task, TaskFile
from eoltag.model.package import Card, CardInput, Package
from eoltag.spark.tables.schemas import PREDICTIONS, ROWS

VERSION = "aaaaaaaaaaaa"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def bundle_rows(session: SparkSession, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """Rows of one bundle, numbered from 1 unless they say otherwise."""
    defaults = {"bundle": "list", "identifier": None, "dataObjectVersionID": None, "ancestry": None, "is_usable": True}
    full = [{**defaults, "bundle_row": number, **row} for number, row in enumerate(rows, 1)]
    return session.createDataFrame([[row.get(name) for name in ROWS.fieldNames()] for row in full], ROWS)


def predictions(session: SparkSession, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """Predictions of the model `main` of task `kind`, ok unless they say otherwise."""
    defaults = {"task": "kind", "model": "main", "model_version": VERSION, "outcome": "ok", "attempts": 1}
    full = [{**defaults, "fetched_at": NOON, "run_id": "r1", **row} for row in rows]
    return session.createDataFrame([[row.get(name) for name in PREDICTIONS.fieldNames()] for row in full], PREDICTIONS)


def task(models: Sequence[str] = ("main",), thresholds: dict[str, float] | None = None, **content: Any) -> Task:
    """A task over packages that only have a card."""
    card = Card(
        card_version=1,
        name="kind",
        labels=("bad", "good"),
        input=CardInput(height=32, width=32),
        thresholds=thresholds or {},
        files={},
    )
    file = TaskFile(name="kind", models={name: ModelEntry(package=name) for name in models}, **content)
    return Task(Path("kind.toml"), file, {name: Package(Path(name), card, VERSION) for name in models})


def rule(name: str, when: str, tag: str) -> Rule:
    """A rule in one line."""
    return Rule(name=name, when=when, tag=tag)
