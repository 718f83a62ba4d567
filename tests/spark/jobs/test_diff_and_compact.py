"""Two runs compared by hand-written predictions; many small files made few, whatever comes between."""

import csv
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.model.package import read_package
from eoltag.spark.jobs.compact import compact
from eoltag.spark.runtime.command import run_command
from eoltag.spark.tables.bundles import replace_bundles
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.predictions import append_predictions
from eoltag.spark.tables.runs import write_record
from eoltag.spark.tables.schemas import IDENTITY
from jobs import compact_tables, decide_tags, diff_runs
from tests.support.readme_mistakes import lay_desk
from tests.support.tables import NOON, VERSION, bundle_rows, predictions

pytestmark = pytest.mark.spark
A, B, C, D = (f"https://eol.org/{name}.jpg" for name in "abcd")
RULES = """
name = "kind"
models.main.package = "model"
[[rules]]
name = "maps"
when = "label = 'map' AND confidence > {least}"
tag = "map"
"""


@pytest.fixture
def place(session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a task and its package, and out/ with predictions of two model versions."""
    monkeypatch.chdir(tmp_path)
    lay_desk(tmp_path)
    (tmp_path / "kind.toml").write_text(RULES.format(least=0.5))
    new = read_package(tmp_path / "model").version
    output = Output(session, str(tmp_path / "out"), "20260101T000000.000Z-0a")
    begin(output)
    rows = bundle_rows(session, [{"eolMediaURL": url, "identifier": f"EOL-{url[-5]}"} for url in (A, B, C, D)])
    replace_bundles(output, rows.select(*IDENTITY), "kind")
    old = [
        {"eolMediaURL": A, "label": "map", "confidence": 0.9},
        {"eolMediaURL": B, "label": "photo", "confidence": 0.9},
        {"eolMediaURL": C, "outcome": "server_error"},
        {"eolMediaURL": D, "label": "map", "confidence": 0.6},
    ]
    append_predictions(output, predictions(session, [{**row, "run_id": output.run_id} for row in old]), 4)
    later = [
        {"eolMediaURL": A, "label": "map", "confidence": 0.8},
        {"eolMediaURL": B, "label": "map", "confidence": 0.7},
        {"eolMediaURL": C, "label": "photo", "confidence": 0.9},
        {"eolMediaURL": D, "outcome": "gone"},
    ]
    append_predictions(
        output, predictions(session, [{**row, "model_version": new, "run_id": output.run_id} for row in later]), 4
    )
    end(output)
    return tmp_path


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Exit code, stdout and stderr of a job in this process."""

    def run(module: Any, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [module.__name__, *words])
        capsys.readouterr()
        try:
            code = run_command(module.main)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_versions_of_a_model_are_compared_row_by_row(place: Path, job: Callable[..., tuple[int, str, str]]) -> None:
    new = read_package(place / "model").version
    words = ("--task", "kind.toml", "--output", "out", "--old", VERSION, "--new", new)
    code, text, _ = job(diff_runs, *words, "--csv", "flips.csv", "--json")
    document = json.loads(text)
    assert code == 0
    assert {key: document[key] for key in ("rows", "same", "flipped", "gained", "lost")} == {
        "rows": 4,
        "same": 1,
        "flipped": 1,
        "gained": 1,
        "lost": 1,
    }
    assert sorted(document["flips"], key=str) == sorted(
        [
            {"old": "NA", "new": "map", "rows": 1},
            {"old": None, "new": "NA", "rows": 1},
            {"old": "map", "new": None, "rows": 1},
        ],
        key=str,
    )
    assert {"old": "ok", "new": "gone", "rows": 1} in document["outcomes"]
    with Path("flips.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["eolMediaURL"], row["old_tag"], row["new_tag"]) for row in rows] == [
        (B, "NA", "map"),
        (C, "", "NA"),
        (D, "map", ""),
    ]
    assert (rows[0]["identifier"], rows[0]["old_label"], rows[0]["new_label"]) == ("EOL-b", "photo", "map")
    assert "NA -> map: 1" in job(diff_runs, *words)[1]


def test_runs_are_compared_by_their_rules_and_what_was_known_then(
    place: Path, job: Callable[..., tuple[int, str, str]], session: SparkSession
) -> None:
    decide = ("--task", "kind.toml", "--output", "out")
    code, _, error = job(diff_runs, *decide)
    assert code == 2
    assert "two runs of task 'kind' were wanted, to compare. Received: 0" in error
    assert job(decide_tags, *decide)[0] == 0
    (first,) = (path.stem for path in (place / "out/runs").iterdir())
    (place / "kind.toml").write_text(RULES.format(least=0.75))
    output = Output(session, str(place / "out"), "20990101T000000.000Z-0b")
    later = {"eolMediaURL": C, "label": "map", "confidence": 0.9, "fetched_at": NOON.replace(month=2)}
    new = read_package(place / "model").version
    append_predictions(output, predictions(session, [{**later, "model_version": new, "run_id": output.run_id}]), 1)
    write_record(output, {**json.loads((place / f"out/runs/{first}.json").read_text()), "run_id": output.run_id})
    record = json.loads((place / f"out/runs/{output.run_id}.json").read_text())
    record["tasks"]["kind"]["content"]["rules"][0]["when"] = "label = 'map' AND confidence > 0.75"
    write_record(output, record)
    document = json.loads(job(diff_runs, *decide, "--json")[1])
    assert (document["old"]["name"], document["new"]["name"]) == (first, output.run_id)
    assert sorted((flip["old"], flip["new"], flip["rows"]) for flip in document["flips"]) == [
        ("NA", "map", 1),
        ("map", "NA", 1),
    ]


def test_what_is_neither_run_nor_version_is_named(place: Path, job: Callable[..., tuple[int, str, str]]) -> None:
    words = ("--task", "kind.toml", "--output", "out", "--new", VERSION, "--old")
    versions = ", ".join(sorted([VERSION, read_package(place / "model").version]))
    code, _, error = job(diff_runs, *words, "latest")
    assert code == 2
    assert (
        f"'latest' is neither a run (runs/NAME.json) nor a model version of task 'kind'; versions: {versions}" in error
    )
    unknown = "20300101T000000.000Z-0a"
    assert f"{unknown}.json: cannot be read as a run" in job(diff_runs, *words, unknown)[2]


@pytest.fixture
def many(session: SparkSession, tmp_path: Path) -> Output:
    """Five waves of one task, two of another."""
    output = Output(session, str(tmp_path / "many"), "run1")
    begin(output)
    for number in range(5):
        rows = [{"eolMediaURL": f"https://eol.org/{number}_{at}.jpg", "scores": {"b": 0.1, "a": 0.9}} for at in (1, 2)]
        append_predictions(output, predictions(session, rows), 2)
    for number in range(2):
        append_predictions(output, predictions(session, [{"eolMediaURL": str(number), "task": "other"}]), 1)
    end(output)
    return output


def read(folder: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of a table, sorted by URL."""
    table = pq.read_table(folder, partitioning="hive")
    return [f"{field.name} {field.type}" for field in table.schema], sorted(
        table.to_pylist(), key=lambda row: str(row["eolMediaURL"])
    )


def names(root: Path) -> list[str]:
    """Folders with their number of files."""
    parts = [path.relative_to(root) for path in root.rglob("part-*")]
    return sorted({f"{part.parent} {sum(other.parent == part.parent for other in parts)}" for part in parts})


def test_many_files_become_few_with_the_same_rows_and_columns(
    many: Output, job: Callable[..., tuple[int, str, str]]
) -> None:
    table = Path(many.root) / "predictions"
    before = read(table)
    code, text, _ = job(compact_tables, "--output", many.root, "--dry-run")
    assert (code, text.splitlines()[0].endswith("would save 5 files")) == (0, True)
    assert names(table) == [f"task=kind/model_version={VERSION} 5", f"task=other/model_version={VERSION} 2"]
    code, text, _ = job(compact_tables, "--output", many.root)
    assert (code, text.splitlines()[0].endswith("5 files fewer")) == (0, True)
    assert "task=kind" in text
    assert "10 rows, 5 -> 1 files" in text
    assert names(table) == [f"task=kind/model_version={VERSION} 1", f"task=other/model_version={VERSION} 1"]
    assert read(table) == before
    assert sorted(path.name for path in Path(many.root).iterdir()) == ["_schema.json", "predictions"]
    assert json.loads(job(compact_tables, "--output", many.root, "--json")[1])["partitions"][0]["files_after"] == 1


def test_a_kill_between_the_two_renames_is_mended_by_the_next_run(session: SparkSession, many: Output) -> None:
    partition = Path(many.root) / f"predictions/task=kind/model_version={VERSION}"
    before = read(Path(many.root) / "predictions")
    replaced = Path(many.root) / "_staging/run2/replaced/predictions/task=kind" / partition.name
    replaced.parent.mkdir(parents=True)
    partition.rename(replaced)
    again = Output(session, many.root, "run3")
    begin(again)
    assert read(Path(many.root) / "predictions") == before
    assert compact(again, "kind", VERSION, 4).files_after <= 3
    end(again)
    assert read(Path(many.root) / "predictions") == before


def test_it_is_refused_while_a_run_is_at_work(many: Output, job: Callable[..., tuple[int, str, str]]) -> None:
    lock = Path(many.root) / "_staging" / "lock.json"
    lock.parent.mkdir()
    lock.write_text(json.dumps({"run_id": "r9", "host": platform.node(), "pid": os.getppid()}))
    code, _, error = job(compact_tables, "--output", many.root)
    assert code == 2
    assert "run r9 is at work here" in error
    assert len(names(Path(many.root) / "predictions")) == 2
    assert "holds no predictions" in job(compact_tables, "--output", f"{many.root}/nowhere")[2]
