"""Every question of the query cookbook is answered alike by Spark and DuckDB, on tables as a run writes them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from pyspark.sql import SparkSession

from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.tables.bundles import read_bundles, replace_bundles
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.predictions import append_predictions, read_predictions
from eoltag.spark.tables.schemas import IDENTITY
from eoltag.spark.tables.tags import replace_tags
from tests.support.readme import blocks, page
from tests.support.tables import NOON, VERSION, bundle_rows, predictions, rule, task

pytestmark = pytest.mark.spark

PAGE: Final = page("how-to/query-cookbook.md")
QUESTIONS: Final = {
    part.partition("\n")[0]: blocks("sql", part)[0] for part in PAGE.split("\n### ")[1:] if blocks("sql", part)
}
A, B, C, D, E, F = (f"https://content.example/{name}.jpg" for name in "abcdef")
NEWER: Final = "bbbbbbbbbbbb"
ROSE, SEAL = "Life|Plantae|Rosaceae|Rosa", "Life|Animalia|Phocidae|Phoca"

MEDIA: Final = [
    {"eolMediaURL": A, "identifier": "EOL-1", "dataObjectVersionID": "11", "ancestry": ROSE},
    {"eolMediaURL": B, "identifier": "EOL-2", "dataObjectVersionID": "12", "ancestry": ROSE},
    {"eolMediaURL": C, "identifier": "EOL-3", "dataObjectVersionID": "13", "ancestry": SEAL},
    {"eolMediaURL": D, "identifier": "EOL-4", "dataObjectVersionID": "14", "ancestry": SEAL},
    {"eolMediaURL": E, "identifier": "EOL-5", "dataObjectVersionID": "15"},
    {"eolMediaURL": F, "identifier": "EOL-6", "dataObjectVersionID": "16"},
]


def seen(url: str, label: str, confidence: float, fruit: float, sha: str, side: int, **more: Any) -> dict[str, Any]:
    """An image that was read."""
    scores = {"flower": 1 - fruit, "fruit": fruit}
    measured = {"content_sha256": sha, "width": side, "height": side, "scores": scores}
    return {"eolMediaURL": url, "label": label, "confidence": confidence, "model_version": NEWER, **measured, **more}


PREDICTED: Final = [
    seen(A, "flower", 0.95, 0.05, "s1", 2000),
    seen(B, "flower", 0.62, 0.38, "s2", 400),
    seen(C, "fruit", 0.71, 0.71, "s3", 800),
    seen(D, "flower", 0.55, 0.45, "s1", 900),
    {"eolMediaURL": E, "outcome": "gone", "http_status": 410, "model_version": NEWER},
    seen(A, "flower", 0.8, 0.2, "s1", 2000, model_version=VERSION, run_id="r0", fetched_at=NOON - timedelta(days=9)),
    seen(B, "fruit", 0.6, 0.6, "s2", 400, model_version=VERSION, run_id="r0", fetched_at=NOON - timedelta(days=9)),
]

ANSWERS: Final[dict[str, list[tuple[Any, ...]]]] = {
    "How many images have which tag?": [("kind", "flower", 2), ("kind", "NA", 1), ("kind", "fruit", 1)],
    "Which images of a family have a tag?": [(A, "EOL-1", "flower", 0.95), (B, "EOL-2", "flower", 0.62)],
    "Which share of each kingdom's images has a tag?": [("Animalia", 2, 0.0), ("Plantae", 2, 1.0)],
    "Which tags should a person look at first?": [(B, "flower", 0.62), (C, "fruit", 0.71), (A, "flower", 0.95)],
    "Which rule gave the tags?": [("kind", "sure", "flower", 2), ("kind", "fruits", "fruit", 1)],
    "What failed, for which reason, at which server?": [("gone", "content.example", 1)],
    "Which media should EOL take down or repair?": [("EOL-5", "15", E, 410)],
    "Which rows have no answer yet?": [("kind", "000001", 1)],
    "How sure is the model, tag by tag?": [
        ("NA", 0.5, 1),
        ("flower", 0.6, 1),
        ("flower", 0.9, 1),
        ("fruit", 0.7, 1),
    ],
    "Which images were nearly something else?": [(D, "flower", 0.55, 0.45), (B, "flower", 0.62, 0.38)],
    "Which pictures are on EOL more than once?": [("s1", 2, A)],
    "What did the model before this one say?": [(B, "fruit", "flower")],
    "What did each night bring?": [("r0", 2, 2), ("r1", 5, 4)],
    "Which good pictures are large enough for a title page?": [(A, 2000, 2000)],
}


@pytest.fixture(scope="module")
def tables(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with output/, as the main job writes it; both engines know its tables when this returns."""
    folder = tmp_path_factory.mktemp("queries")
    output = Output(session, str(folder / "output"), "r1")
    begin(output)
    rules = (
        rule("sure", "label = 'flower' AND confidence > 0.6", "flower"),
        rule("fruits", "label = 'fruit'", "fruit"),
    )
    kind = task(rules=rules)
    newer = {name: type(package)(package.path, package.card, NEWER) for name, package in kind.packages.items()}
    kind = type(kind)(kind.path, kind.file, newer)
    versions = {row["eolMediaURL"]: row["dataObjectVersionID"] for row in MEDIA}
    known = [{**row, "dataObjectVersionID": versions[row["eolMediaURL"]]} for row in PREDICTED]
    append_predictions(output, predictions(session, known), len(known))
    rows = bundle_rows(session, [{**row, "bundle": "000001"} for row in MEDIA])
    replace_bundles(output, rows.select(*IDENTITY), "kind")
    replace_tags(output, tag_rows(read_bundles(output, "kind"), read_predictions(output), kind), "kind")
    end(output)
    for block in blocks("python", PAGE):
        exec(block.replace('"output/', f'"{folder}/output/').replace("'output/", f"'{folder}/output/"), {})
    yield folder
    for table in ("tags", "predictions"):
        duckdb.execute(f"DROP VIEW {table}")


def plain(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Values that can be compared: numbers of any kind as rounded floats."""
    return [
        tuple(value if isinstance(value, str) or value is None else round(float(value), 3) for value in row)
        for row in rows
    ]


def test_there_are_a_dozen_questions_or_more_and_each_is_asked_here() -> None:
    assert len(QUESTIONS) >= 12
    assert list(QUESTIONS) == list(ANSWERS)
    assert len(re.findall("```sql", PAGE)) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
def test_spark_and_duckdb_answer_alike(question: str, tables: Path, session: SparkSession) -> None:
    assert tables.is_dir()
    expected = plain(ANSWERS[question])
    assert plain(session.sql(QUESTIONS[question]).collect()) == expected
    assert plain(duckdb.execute(QUESTIONS[question]).fetchall()) == expected
