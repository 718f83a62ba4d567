"""Every question of the query cookbook is answered alike by Spark and DuckDB, on four tasks as a run writes them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Task
from eoltag.spark.decide.decision import begin_change, decide
from eoltag.spark.report.views import refresh_views
from eoltag.spark.tables.bundles import note_further_columns, replace_bundles
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.models import record_models
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import rows_schema
from tests.support.readme import blocks, code, page, section
from tests.support.readme import tables as listed
from tests.support.tables import NOON, VERSION, append, content_of, facts, rule, task

pytestmark = pytest.mark.spark

PAGE: Final = page("how-to/query-cookbook.md")
TABLES: Final = page("how-to/query-the-tables.md")
QUESTIONS: Final = {
    part.partition("\n")[0]: blocks("sql", part)[0] for part in PAGE.split("\n### ")[1:] if blocks("sql", part)
}
A, B, C, D, E, F, G = (f"https://content.example/{name}.jpg" for name in "abcdefg")
NEWER, DRAWN = "bbbbbbbbbbbb", "000000000123"
"""Versions of models; one that a careless reader would take for a number."""
ROSE, SEAL = "Life|Plantae|Rosaceae|Rosa", "Life|Animalia|Phocidae|Phoca"

MEDIA: Final = [
    {"eolMediaURL": A, "identifier": "EOL-1", "dataObjectVersionID": "11", "ancestry": ROSE, "sciname": "Rosa"},
    {"eolMediaURL": B, "identifier": "EOL-2", "dataObjectVersionID": "12", "ancestry": ROSE, "sciname": "Rosa"},
    {"eolMediaURL": C, "identifier": "EOL-3", "dataObjectVersionID": "13", "ancestry": SEAL},
    {"eolMediaURL": D, "identifier": "EOL-4", "dataObjectVersionID": "14", "ancestry": SEAL},
    {"eolMediaURL": E, "identifier": "EOL-5", "dataObjectVersionID": "15"},
    {"eolMediaURL": F, "identifier": "EOL-6", "dataObjectVersionID": "16"},
    {"eolMediaURL": G, "identifier": "EOL-7"},
]
FLOWERS, KINDS = ("flower", "fruit"), ("map", "photo", "drawing")
EARLIER: Final = {"model_version": VERSION, "run_id": "r0", "asked_at": NOON - timedelta(days=9)}
SIDES: Final = {A: 2000, B: 400, C: 800, D: 900, G: 2000}


def seen(url: str, label: str, confidence: float, **more: Any) -> dict[str, Any]:
    """An image that was read and scored."""
    shape = {"width": SIDES[url], "height": SIDES[url]}
    return {"eolMediaURL": url, "label": label, "confidence": confidence, "model_version": NEWER, **shape, **more}


KNOWN: Final = [
    seen(A, "flower", 0.95, mnorm_pp=1.5),
    seen(B, "flower", 0.62, mnorm_pp=12.5),
    seen(C, "fruit", 0.71, mnorm_pp=22.5),
    seen(D, "flower", 0.55),
    {"eolMediaURL": E, "outcome": "gone", "http_status": 410},
    seen(G, "flower", 0.95, content_sha256=content_of(A), is_scored=False),
    seen(A, "flower", 0.8, **EARLIER),
    seen(B, "fruit", 0.6, **EARLIER),
]
LATER: Final = [seen(url, "photo", 0.7, model_version=DRAWN, source="pixels", is_answer=False) for url in (A, B, C, D)]

RULES: Final = (
    rule("sure", "label = 'flower' AND confidence > 0.6", "flower"),
    rule("fruits", "label = 'fruit'", "fruit"),
)
KIND: Final = task(labels=FLOWERS, versions=[NEWER], rules=RULES)
TYPES: Final = task(("type", "flower"), labels=KINDS, versions=[DRAWN, NEWER], name="types", features=("mnorm_pp",))
FOUR: Final = [
    KIND,
    task(name="named", labels=FLOWERS, versions=[NEWER], bundle_columns=("sciname",)),
    task(name="rated", labels=FLOWERS, versions=[NEWER], extras={"stars": "CAST(ROUND(confidence * 5) AS INT)"}),
    replace(TYPES, packages={**TYPES.packages, "flower": KIND.packages["main"]}),
]
"""One with rules only, one with a column of the bundle, one with an extra, one with two models and a feature."""

ANSWERS: Final[dict[str, list[tuple[Any, ...]]]] = {
    "How many images have which tag?": [
        ("kind", "flower", 3), ("kind", "NA", 1), ("kind", "fruit", 1), ("named", "NA", 5), ("rated", "NA", 5),
        ("types", "NA", 5),
    ],
    "Which images of a family have a tag?": [(A, "EOL-1", "flower", 0.95), (B, "EOL-2", "flower", 0.62)],
    "Which share of each kingdom's images has a tag?": [("Animalia", 2, 0.0), ("Plantae", 2, 1.0)],
    "Which tags should a person look at first?": [(B, "flower", 0.62), (C, "fruit", 0.71), (A, "flower", 0.95)],
    "Which rule gave the tags?": [("kind", "sure", "flower", 3), ("kind", "fruits", "fruit", 1)],
    "What failed, for which reason, at which server?": [("gone", "content.example", 1)],
    "Which media should EOL take down or repair?": [("EOL-5", "15", E, 410)],
    "Which rows have no answer yet?": [(name, "000001", 1) for name in ("kind", "named", "rated", "types")],
    "How sure is the model, tag by tag?": [
        ("NA", 0.5, 1), ("flower", 0.6, 1), ("flower", 0.9, 2), ("fruit", 0.7, 1),
    ],
    "Which images were nearly something else?": [(D, "flower", 0.55, 0.45), (B, "flower", 0.62, 0.38)],
    "Which pictures are on EOL more than once?": [(content_of(A), 2, A)],
    "What did the model before this one say?": [(B, "fruit", "flower")],
    "What did each night bring?": [("r0", 2, 2), ("r1", 6, 5)],
    "Which good pictures are large enough for a title page?": [(A, 2000, 2000), (G, 2000, 2000)],
    "Where did the scores come from?": [(DRAWN, "pixels", 4), (VERSION, "fetch", 2), (NEWER, "fetch", 4)],
    "What did each task find out besides tags?": [
        ("kind", 0, 0, 0), ("named", 0, 0, 2), ("rated", 0, 5, 0), ("types", 4, 0, 0),
    ],
}  # fmt: skip


def decided(output: Output, one: Task) -> None:
    """Tags of a task over the bundle."""
    begin_change(output, one, ["000001"])
    decide(output, one, {"000001": "digest"})


@pytest.fixture(scope="module")
def tables(session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with output/, as the main job writes it; both engines know its views when this returns."""
    folder = tmp_path_factory.mktemp("queries")
    output = Output(session, str(folder / "output"), "r1")
    begin(output)
    record_models(output, [package for one in FOUR for package in one.packages.values()])
    record_models(output, [replace(KIND.packages["main"], version=VERSION)])
    versions = {row["eolMediaURL"]: row.get("dataObjectVersionID") for row in MEDIA}
    known = [
        {**row, "run_id": row.get("run_id", "r1"), "dataObjectVersionID": versions[row["eolMediaURL"]]} for row in KNOWN
    ]
    append(output, facts(session, known, FLOWERS))
    append(output, facts(session, LATER, KINDS))
    schema = rows_schema(["sciname"])
    rows = [{"bundle": "000001", "bundle_row": number, "is_usable": True, **row} for number, row in enumerate(MEDIA, 1)]
    replace_bundles(output, session.createDataFrame([[row.get(name) for name in schema.names] for row in rows], schema))
    note_further_columns(output, {"000001": ["sciname"]})
    for one in FOUR:
        decided(output, one)
    refresh_views(output)
    end(output)
    for block in blocks("python", PAGE):
        exec(block.replace('"output/', f'"{folder}/output/'), {})
    yield folder
    for (view,) in duckdb.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
        duckdb.execute(f"DROP VIEW {view}")


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


@pytest.mark.parametrize("view", ["predictions", "images", "scores", "measures", "bundles", "tags"])
def test_the_reference_lists_the_columns_that_the_views_have(view: str, tables: Path, session: SparkSession) -> None:
    assert tables.is_dir()
    titles = {"predictions": "Columns of the view predictions"}
    (rows,) = listed(section(titles.get(view, f"Columns of {view}"), page("reference/tables.md")))
    types = {code(row[0]): row[1].replace(" ", "") for row in rows}
    of_tasks = {"sciname", "stars", "mnorm_pp", "mnorm_pp_512"} if view != "predictions" else {"mnorm_pp_512"}
    found = {
        name: kind.replace("bigint", "long").partition("<struct")[0].partition(",struct")[0]
        for name, kind in session.table(view).dtypes
        if name not in of_tasks
    }
    assert found == {name: kind.partition(",struct")[0] for name, kind in types.items() if name not in of_tasks}
    of_duckdb = {row[0] for row in duckdb.execute(f"DESCRIBE {view}").fetchall()}
    assert of_duckdb - of_tasks == set(found)


def test_pandas_and_polars_read_one_task_and_all_of_them(tables: Path) -> None:
    (tables / "bundle.txt").write_text("identifier\tdataObjectVersionID\tmimeType\nEOL-1\t11\timage/jpeg\n")
    found = {}
    for library in ("pandas as pd", "polars as pl"):
        names: dict[str, Any] = {}
        (snippet,) = [block for block in blocks("python", TABLES) if f"import {library}\n" in block]
        snippet = snippet.replace("build/demo/output", f"{tables}/output").replace("build/demo", str(tables))
        exec(snippet.replace("task=demo", "task=types"), names)
        found[library] = names
    for names in found.values():
        one, every = set(names["demo"].columns) - {"task"}, set(names["tags"].columns)
        assert ("mnorm_pp" in one, "stars" in one) == (True, False)
        assert every >= {*one, "task", "mnorm_pp", "stars", "sciname"}
        assert len(names["tags"]) == 4 * len(MEDIA)
        assert sorted(set(names["numbers"]["model_version"])) == [DRAWN, VERSION, NEWER]
        assert len(names["numbers"]) == 3 + 3 + 2 + 2 + 3, "as often as models have scored each image, G as A"
    pandas, polars = (names["tags"] for names in found.values())
    assert pandas["stars"].sum() == polars["stars"].sum()
