"""Night after night with the same words: what is new or changed is done, nothing else, and what was stays."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest
from pyspark.sql import SparkSession

from eoltag.model.package import read_package
from eoltag.spark.runtime.command import run_command
from jobs import compact_tables, decide_tags, diff_runs, tag_bundles
from tests.support.flat import predictions, query
from tests.support.loopback import Loopback
from tests.support.readme import ROOT

pytestmark = pytest.mark.spark

TASK = """
name = "demo"
models.main.package = "{package}"
[[rules]]
name = "any"
when = "confidence > {least}"
tag_sql = "label"
"""
HEADER = "identifier\tdataObjectVersionID\tmimeType\teolMediaURL\tancestry\n"
Row = dict[str, Any]


@pytest.fixture
def place(
    session: SparkSession,
    server: Loopback,
    sample_images: Path,
    small_package: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A project's folder: bundles/ with a breakdown of three images, the task `demo`, a copy of its package."""
    assert session is not None
    monkeypatch.chdir(tmp_path)
    copy_package(small_package, tmp_path / "model", 1.0)
    write_task(0.0)
    paths = sorted(path.relative_to(sample_images) for path in sample_images.rglob("*.jpg"))[:3]
    (tmp_path / "bundles").mkdir()
    write_bundle([(server.url(f"/files/{quote(str(path))}"), "1") for path in paths])
    return tmp_path


def copy_package(source: Path, target: Path, temperature: float) -> str:
    """A package of the same network at another temperature, and so of another version, which is returned."""
    target.mkdir(exist_ok=True)
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
    card = json.loads((source / "card.json").read_text())
    (target / "card.json").write_text(json.dumps({**card, "temperature": temperature}))
    return read_package(target).version


def write_task(least: float) -> None:
    """conf/tasks/demo.toml, which goes before the project's own."""
    Path("conf/tasks").mkdir(parents=True, exist_ok=True)
    Path("conf/tasks/demo.toml").write_text(TASK.format(package=Path("model").absolute(), least=least))


def write_bundle(media: list[tuple[str, str]]) -> None:
    """URL and version of each image."""
    lines = [f"EOL-{number}\t{version}\timage/jpeg\t{url}\tLife" for number, (url, version) in enumerate(media)]
    Path("bundles/some_breakdown.txt").write_text(HEADER + "\n".join(lines) + "\n")


def read_bundle() -> list[tuple[str, str]]:
    """URL and version of each image."""
    rows = [line.split("\t") for line in Path("bundles/some_breakdown.txt").read_text().splitlines()[1:]]
    return [(row[3], row[1]) for row in rows]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Row]:
    """What a job prints with --json; a guard may refuse to publish."""

    def run(module: Any, *words: str) -> Row:
        monkeypatch.setattr(sys, "argv", [module.__name__, *words, "--json"])
        capsys.readouterr()
        code = run_command(module.main)
        shown = capsys.readouterr()
        assert code in (0, 4), shown.err
        document: Row = json.loads(shown.out)
        return document

    return run


@pytest.fixture
def night(job: Callable[..., Row]) -> Callable[..., Row]:
    """The job file as it is shipped; these images come from this machine."""
    return lambda *more: job(
        tag_bundles, "--config", str(ROOT / "conf/jobs/retag.toml"), "--allow-private-hosts", *more
    )


def files(folder: str) -> dict[str, int]:
    """Path -> time of the last change."""
    return {str(path): path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


def nothing_to_do(summary: Row) -> bool:
    """The run said so."""
    return any(note.startswith("nothing to do: ") for note in summary["notes"])


def test_a_night_with_nothing_new_says_so_and_writes_nothing_but_its_own_record(
    place: Path, night: Callable[..., Row], job: Callable[..., Row], server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = night()
    assert (first["images_fetched"], nothing_to_do(first)) == (3, False)
    assert first["publication"]["status"] == "published"
    before, asked = files("tagged"), len(server.requests)
    monkeypatch.setattr("eoltag.spark.jobs.tag.tag_worker", None)  # no model is loaded
    second = night()
    assert nothing_to_do(second)
    assert second["publication"]["status"] == "already published"
    assert second["publication"]["manifest"] == first["publication"]["manifest"]
    assert {name: second[name] for name in ("rows_in", "ok", "failed", "tags", "known")} == {
        **{name: first[name] for name in ("rows_in", "ok", "failed", "tags")},
        "known": 3,
    }
    assert len(server.requests) == asked
    record = f"tagged/runs/{second['run_id']}.json"
    assert files("tagged") == {**before, record: Path(record).stat().st_mtime_ns}
    assert json.loads(Path(record).read_text())["status"] == "done"

    monkeypatch.undo()
    monkeypatch.chdir(place)
    write_task(0.9999)
    changed = night()
    assert (changed["images_fetched"], nothing_to_do(changed), changed["tags"]) == (0, False, {"demo": {"NA": 3}})
    assert changed["publication"]["status"] == "refused"
    assert changed["publication"]["measured"]["demo"]["comparison"]["flip_rate"] == 1.0
    write_task(0.0)
    job(decide_tags, "--task", "demo", "--output", "tagged")
    assert nothing_to_do(night())
    (Path("tagged/tsv/demo") / "some_breakdown_finaltags.tsv").unlink()
    assert not nothing_to_do(night()), "a file that somebody deleted is written again"


@pytest.mark.slow
def test_a_changed_version_tags_its_row_alone_and_a_new_model_all_while_the_old_rows_stay(
    place: Path, small_package: Path, night: Callable[..., Row], job: Callable[..., Row]
) -> None:
    old = read_package(place / "model").version
    assert night()["images_fetched"] == 3
    media = read_bundle()
    write_bundle([(media[0][0], "2"), *media[1:]])
    assert night()["images_fetched"] == 1
    tags = duckdb.execute(
        "SELECT dataObjectVersionID, outcome FROM read_parquet('tagged/tags/**/*.parquet') ORDER BY bundle_row"
    ).fetchall()
    assert tags == [("2", "ok"), ("1", "ok"), ("1", "ok")]

    new = copy_package(small_package, place / "model", 2.0)
    assert new != old
    assert night()["images_fetched"] == 3
    scores = "read_parquet('tagged/scores/**/*.parquet', hive_partitioning = true)"
    counted = duckdb.execute(f"SELECT model_version, COUNT(*) FROM {scores} GROUP BY ALL").fetchall()
    assert sorted(counted) == sorted([(old, 3), (new, 3)]), "the changed version has the bytes of the old one"
    assert nothing_to_do(night())

    compared = job(diff_runs, "--task", "demo", "--output", "tagged", "--old", old, "--new", new)
    assert (compared["rows"], compared["same"], compared["flips"]) == (3, 3, [])
    assert (compared["old"]["models"], compared["new"]["models"]) == ({"main": old}, {"main": new})

    facts = "SELECT * FROM images ORDER BY eolMediaURL, asked_at"
    before = (query(Path("tagged"), facts), predictions(Path("tagged")))
    assert [len(rows) for rows in before] == [7, 8], "four current answers, by two models"
    done = job(compact_tables, "--output", "tagged")
    assert [(one["rows"], one["files_before"], one["files_after"]) for one in done["partitions"]] == [
        (3, 1, 1), (3, 1, 1), (7, 3, 1),
    ]  # fmt: skip
    assert (query(Path("tagged"), facts), predictions(Path("tagged"))) == before
    assert nothing_to_do(night())
