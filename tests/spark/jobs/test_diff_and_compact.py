"""Two runs compared by hand-written facts; many small files made few, whatever comes between."""

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.local.claims import Claim
from eoltag.model.package import read_package
from eoltag.spark.decide.decision import begin_change
from eoltag.spark.jobs.compact import compact
from eoltag.spark.requests import CompactRequest
from eoltag.spark.runtime.command import run_command
from eoltag.spark.tables.bundles import replace_bundles
from eoltag.spark.tables.facts import FACTS, PIXELS, SCORES, append_facts
from eoltag.spark.tables.lock import FOLDER, begin, end
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.runs import write_record
from eoltag.spark.tables.schemas import IDENTITY
from jobs import compact_tables, decide_tags, diff_runs
from tests.support.readme_mistakes import lay_desk
from tests.support.tables import NOON, VERSION, append, bundle_rows, content_of, facts, task

pytestmark = [pytest.mark.spark, pytest.mark.damages_output]  # outputs made by hand, without models
A, B, C, D = (f"https://eol.org/{name}.jpg" for name in "abcd")
SECOND = "bbbbbbbbbbbb"
LABELS = ("map", "photo")
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
    """A current directory with a task and its package, and out/ with the scores of two model versions."""
    monkeypatch.chdir(tmp_path)
    lay_desk(tmp_path)
    (tmp_path / "kind.toml").write_text(RULES.format(least=0.5))
    new = read_package(tmp_path / "model").version
    output = Output(session, str(tmp_path / "out"), "20260101T000000.000Z-0a")
    begin(output)
    rows = bundle_rows(session, [{"eolMediaURL": url, "identifier": f"EOL-{url[-5]}"} for url in (A, B, C, D)])
    begin_change(output, task(), ["list"])
    replace_bundles(output, rows.select(*IDENTITY))
    known = [
        {"eolMediaURL": A, "label": "map", "confidence": 0.9},
        {"eolMediaURL": B, "label": "photo", "confidence": 0.9},
        {"eolMediaURL": C, "is_scored": False},
        {"eolMediaURL": D, "label": "map", "confidence": 0.6},
    ]
    later = [
        {"eolMediaURL": A, "label": "map", "confidence": 0.8},
        {"eolMediaURL": B, "label": "map", "confidence": 0.7},
        {"eolMediaURL": C, "label": "photo", "confidence": 0.9},
    ]
    known += [{**row, "model_version": new, "is_answer": False} for row in later]
    append(output, facts(session, [{**row, "run_id": output.run_id} for row in known], LABELS))
    end(output)
    return tmp_path


@pytest.fixture
def old_run(session: SparkSession, place: Path) -> None:
    """The run in which the task had the older model."""
    output = Output(session, str(place / "out"), "20260101T000000.000Z-0a")
    write_record(output, {"status": "done", "tasks": {"kind": {"models": {"main": VERSION}}}})


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


@pytest.mark.usefixtures("old_run")
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
    assert sorted(document["outcomes"], key=str) == sorted(
        [{"old": None, "new": "ok", "rows": 1}, {"old": "ok", "new": None, "rows": 1}], key=str
    )
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
    other_bytes = {"label": "map", "confidence": 0.9, "content_sha256": content_of("a new picture")}
    later = [{"eolMediaURL": C, **other_bytes}, {"eolMediaURL": D, "outcome": "gone"}]
    said = {"model_version": read_package(place / "model").version, "run_id": output.run_id}
    append(output, facts(session, [{**row, **said, "asked_at": NOON.replace(month=2)} for row in later], LABELS))
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
    assert document["outcomes"] == [{"old": None, "new": "gone", "rows": 1}]


@pytest.mark.usefixtures("old_run")
def test_another_package_stands_in_for_that_of_the_task(place: Path, job: Callable[..., tuple[int, str, str]]) -> None:
    new = read_package(place / "model").version
    (place / "model").rename(place / "moved")
    words = ("--task", "kind.toml", "--output", "out", "--old", VERSION, "--new", new, "--json")
    assert job(diff_runs, *words)[0] == 2
    code, text, _ = job(diff_runs, *words, "--model", "kind=moved")
    assert (code, json.loads(text)["new"]["models"]) == (0, {"main": new})
    code, _, said = job(diff_runs, *words, "--model", "kind=moved", "knid=moved")
    assert (code, said) == (2, "error: --model: no task 'knid' is run; running: kind\n")


@pytest.mark.usefixtures("old_run")
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
    """Five waves of images that one model has scored, two that another has, and copies of two of them."""
    output = Output(session, str(tmp_path / "many"), "run1")
    begin(output)
    for number in range(5):
        rows = [{"eolMediaURL": f"https://eol.org/{number}_{at}.jpg", "scores": [at, 0.1]} for at in (1, 2)]
        append(output, facts(session, rows))
    for url, label in ((A, "bad"), (B, "good")):
        append(output, facts(session, [{"eolMediaURL": url, "label": label, "model_version": SECOND, "mnorm_pp": 2.5}]))
        copy = [content_of(url), 256, b"jpeg of " + url.encode(), 640, 480, "r1", NOON]
        append_facts(output, PIXELS, session.createDataFrame([copy], PIXELS.schema), 1)
    end(output)
    return output


def read(root: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Columns and rows of each table of facts."""
    tables = {
        table.name: pq.read_table(root / table.name, partitioning="hive")
        for table in FACTS
        if (root / table.name).exists()
    }
    return {
        name: ([f"{field.name} {field.type}" for field in table.schema], sorted(map(str, table.to_pylist())))
        for name, table in tables.items()
    }


def names(root: Path) -> dict[str, int]:
    """Folders with their number of files."""
    return dict(Counter(str(path.parent.relative_to(root)) for path in root.rglob("part-*")))


BEFORE: Final = {
    f"scores/model_version={VERSION}": 5, f"scores/model_version={SECOND}": 2, "measures/name=mnorm_pp": 2,
    "pixels": 2, "images": 7,
}  # fmt: skip


def test_many_files_become_few_with_the_same_rows_and_columns(
    many: Output, job: Callable[..., tuple[int, str, str]]
) -> None:
    root = Path(many.root)
    before = read(root)
    assert [len(rows) for _, rows in before.values()] == [2, 2, 12, 12]
    code, text, _ = job(compact_tables, "--output", many.root, "--dry-run")
    assert (code, text.splitlines()[0].endswith("would save 13 files")) == (0, True)
    assert names(root) == BEFORE
    code, text, _ = job(compact_tables, "--output", many.root)
    assert (code, text.splitlines()[0].endswith("13 files fewer")) == (0, True)
    assert re.search(rf"^  scores/model_version={VERSION}: 10 rows, 0.0 MB before, 5 -> 1 files$", text, re.MULTILINE)
    assert re.search(r"^  images: 12 rows, 0.0 MB before, 7 -> 1 files$", text, re.MULTILINE)
    assert names(root) == dict.fromkeys(BEFORE, 1)
    assert read(root) == before
    assert sorted(path.name for path in root.iterdir()) == [
        "_schema.json", "images", "measures", "pixels", "scores", "views.duckdb.sql", "views.spark.sql",
    ]  # fmt: skip
    assert json.loads(job(compact_tables, "--output", many.root, "--json")[1])["partitions"][0]["files_after"] == 1


@pytest.mark.parametrize(
    "folder",
    [
        f"scores/model_version={VERSION}",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("images", "measures/name=mnorm_pp", "pixels")),
    ],
)
def test_a_kill_between_the_two_renames_is_mended_by_the_next_run(
    session: SparkSession, many: Output, folder: str
) -> None:
    root = Path(many.root)
    before = read(root)
    replaced = root / "_staging/run2/replaced" / folder
    replaced.parent.mkdir(parents=True)
    (root / folder).rename(replaced)
    again = Output(session, many.root, "run3")
    begin(again)
    assert read(root) == before
    assert compact(again, SCORES, VERSION, CompactRequest(again.root, rows_per_file=4)).files_after <= 3
    end(again)
    assert read(root) == before


def test_kept_pixels_are_dropped_by_age_and_nothing_else(
    many: Output, job: Callable[..., tuple[int, str, str]]
) -> None:
    root = Path(many.root)
    before = read(root)
    words = ("--output", many.root, "--drop", "pixels")
    assert job(compact_tables, *words, "--older-than", "36500")[0] == 0
    assert read(root) == before
    code, text, _ = job(compact_tables, *words)
    assert (code, "pixels: 0 rows, 2 dropped" in text) == (0, True)
    assert not (root / "pixels").exists()
    kept = {name: rows for name, rows in read(root).items() if name != "pixels"}
    assert kept == {name: rows for name, rows in before.items() if name != "pixels"}


def test_it_is_refused_while_a_run_is_at_work(many: Output, job: Callable[..., tuple[int, str, str]]) -> None:
    lock = Path(many.root) / FOLDER / "r9.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps(asdict(Claim("r9", "elsewhere", 1, "", 300.0, is_held=True))))
    code, _, error = job(compact_tables, "--output", many.root)
    assert code == 2
    assert "run r9 is at work here" in error
    assert names(Path(many.root)) == BEFORE
    assert "holds no tables" in job(compact_tables, "--output", f"{many.root}/nowhere")[2]


def test_scores_go_that_no_decision_and_no_publication_names(
    many: Output, job: Callable[..., tuple[int, str, str]]
) -> None:
    """Two versions have scores; the task is decided by SECOND, and an earlier publication by VERSION."""
    root, words = Path(many.root), ("--output", many.root, "--drop", "superseded")
    decided = root / "decided/kind.json"
    decided.parent.mkdir()
    decided.write_text(json.dumps({"decision": "", "bundles": {}, "files": {}}))
    code, _, error = job(compact_tables, *words)
    assert (code, "names no models; run eoltag tag or decide again first" in error) == (2, True)
    decided.write_text(json.dumps({"decision": "d", "task": {"models": {"main": SECOND}}}))
    manifest = root / "published/20260101T000000Z-00000000/manifest.json"
    manifest.parent.mkdir(parents=True)
    task = {"rows": 1, "tags": {}, "models": {"main": VERSION}, "content": {}, "conditions": {}, "bundles": [],
            "decided_by": "", "tags_digest": ""}  # fmt: skip
    said = dict.fromkeys(("version", "state", "made_at", "eoltag", "run_id", "title", "license", "publisher"), "")
    manifest.write_text(json.dumps({**said, "tasks": {"kind": task}, "files": []}))
    assert job(compact_tables, *words)[0] == 0
    assert (root / f"scores/model_version={VERSION}").exists()
    manifest.unlink()
    assert job(compact_tables, *words, "--older-than", "36500")[0] == 0
    assert (root / f"scores/model_version={VERSION}").exists()
    code, text, _ = job(compact_tables, *words)
    assert (code, f"scores/model_version={VERSION}: 0 rows, 10 dropped" in text) == (0, True)
    assert not (root / f"scores/model_version={VERSION}").exists()
    assert (root / f"scores/model_version={SECOND}").exists()
