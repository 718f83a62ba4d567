"""The bands that PhenoVision has published, at both sides of every boundary, for labels that are each by itself."""

from dataclasses import replace
from math import log

import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Task, TaskFile, refuse_slips
from eoltag.errors import TaskError
from eoltag.settings import parse, read_toml
from eoltag.spark.decide.rules import tag_rows
from tests.support.paths import ROOT
from tests.support.tables import bundle_rows, facts, task

pytestmark = pytest.mark.spark
LABELS = ("flower", "fruit")
BELOW, ABOVE = -1e-4, 1e-4


def phenovision() -> Task:
    """The task that ships, over a package that only has a card."""
    path = ROOT / "conf/tasks/phenovision.toml"
    file = parse(TaskFile, read_toml(path, TaskError), str(path), TaskError)
    plain = task(labels=LABELS)
    package = plain.packages["main"]
    card = package.card.model_copy(update={"output_kind": "labels"})
    return Task(path, file, {"main": replace(package, card=card)})


CASES = [
    # (flower, fruit) -> tag, flower, fruit
    (0.0, 0.0, "none", "not detected", "not detected"),
    (0.28 + BELOW, 0.0, "none", "not detected", "not detected"),
    (0.28 + ABOVE, 0.0, "uncertain", "uncertain", "not detected"),
    (0.84 + ABOVE, 0.0, "uncertain", "uncertain", "not detected"),
    (0.85 + BELOW, 0.0, "uncertain", "uncertain", "not detected"),
    (0.85 + ABOVE, 0.0, "flower", "detected", "not detected"),
    (1.0, 0.23 + BELOW, "flower", "detected", "not detected"),
    (0.0, 0.23 + ABOVE, "uncertain", "not detected", "uncertain"),
    (0.0, 0.53 + ABOVE, "uncertain", "not detected", "uncertain"),
    (0.0, 0.75 + BELOW, "uncertain", "not detected", "uncertain"),
    (0.0, 0.75 + ABOVE, "fruit", "not detected", "detected"),
    (0.85 + ABOVE, 0.75 + BELOW, "flower", "detected", "uncertain"),
    (0.85 + ABOVE, 0.75 + ABOVE, "flower and fruit", "detected", "detected"),
]


def raw(probability: float) -> float:
    """The number before the sigmoid."""
    return 50.0 * (1 if probability else -1) if probability in (0, 1) else log(probability / (1 - probability))


def test_every_boundary_is_where_it_was_published(session: SparkSession) -> None:
    urls = [f"https://eol.org/{number}.jpg" for number in range(len(CASES))]
    known = facts(
        session,
        [
            {"eolMediaURL": url, "scores": [raw(flower), raw(fruit)]}
            for url, (flower, fruit, *_) in zip(urls, CASES, strict=True)
        ],
        LABELS,
    )
    refuse_slips(phenovision())
    rows = tag_rows(bundle_rows(session, [{"eolMediaURL": url} for url in urls]), known, phenovision())
    found = [(row.tag, row.flower, row.fruit) for row in rows.orderBy("bundle_row").collect()]
    assert found == [case[2:] for case in CASES]
    (row,) = rows.where("bundle_row = 3").collect()
    assert (row.flower_score, row.confidence) == (pytest.approx(0.2801, abs=1e-6), pytest.approx(0.2801, abs=1e-6))
