"""The views over an output directory, as DuckDB reads them, and the command that writes them anew."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eoltag.__main__ import main
from eoltag.errors import ExitCode
from tests.support.flat import predictions, query
from tests.support.readme_demo import BAD, VERSION, A, B, C, D, write_demo


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """As `make demo` leaves it, in a folder whose name needs quoting."""
    write_demo(tmp_path / "it's")
    return tmp_path / "it's/build/demo/output"


def rows_of(output: Path) -> dict[str, dict[str, Any]]:
    """URL -> its row in the view `predictions`."""
    rows = predictions(output)
    by_url = {row["eolMediaURL"]: row for row in rows}
    assert len(by_url) == len(rows)
    return by_url


def test_every_image_stands_once_for_each_model_with_its_verdict_or_its_failure(output: Path) -> None:
    rows = rows_of(output)
    assert {url: (row["outcome"], row["label"], row["model_version"]) for url, row in rows.items()} == {
        A: ("ok", "map", VERSION), B: ("ok", "photo", VERSION), C: ("gone", None, None), D: ("ok", "map", VERSION),
        BAD: ("bad_url", None, None),
    }  # fmt: skip
    assert rows[A]["confidence"] == pytest.approx(0.9)
    assert rows[A]["scores"] == pytest.approx({"map": 0.9, "photo": 0.05, "plant": 0.05})
    assert (rows[A]["logit"], rows[A]["engine"], rows[A]["source"]) == (0.0, "openvino-f32", "fetch")


def test_a_label_may_hold_a_quote(output: Path) -> None:
    record = output / f"models/{VERSION}.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "labels": ["it's a map", 'a "photo"', "plant"]}))
    assert main(["views", str(output)]) == ExitCode.DONE
    assert {row["label"] for row in rows_of(output).values()} == {"it's a map", 'a "photo"', None}


def test_the_latest_answer_counts_but_a_passing_failure_never_displaces_an_image_that_was_read(output: Path) -> None:
    table = pq.read_table(output / "images/part-0.parquet")
    first = {row["eolMediaURL"]: row for row in table.to_pylist()}
    later = [
        {**first[url], "outcome": outcome, "asked_at": first[url]["asked_at"] + timedelta(days=3), "run_id": "r9"}
        for url, outcome in ((A, "timeout"), (C, "server_error"), (D, "gone"))
    ]
    pq.write_table(pa.Table.from_pylist(later, table.schema), output / "images/part-1.parquet")
    found = {row["eolMediaURL"]: row["outcome"] for row in query(output, "FROM latest_images")}
    assert found == {A: "ok", B: "ok", C: "server_error", D: "gone", BAD: "bad_url"}
    assert {url: row["outcome"] for url, row in rows_of(output).items()} == found
    assert len(query(output, "FROM images")) == 9


def test_views_of_a_moved_output_are_written_anew_there_or_elsewhere(
    output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = output.rename(tmp_path / "moved")
    with pytest.raises(duckdb.IOException):
        query(moved, "FROM images")
    assert main(["views", str(moved)]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [f"{moved}/views.duckdb.sql", f"{moved}/views.spark.sql"]
    assert len(query(moved, "FROM tags WHERE task = 'demo'")) == 5
    (moved / "views.duckdb.sql").unlink()
    assert main(["views", str(moved), "--to", str(tmp_path / "views")]) == ExitCode.DONE
    assert not (moved / "views.duckdb.sql").exists()
    assert len(query(tmp_path / "views", "FROM predictions")) == 5


def test_a_folder_that_is_no_output_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["views", str(tmp_path)]) == ExitCode.UNUSABLE
    wanted = "holds no images table; wanted the --output directory of jobs/tag_bundles.py"
    assert capsys.readouterr().err == f"error: {tmp_path}: {wanted}\n"
    assert list(tmp_path.iterdir()) == []


def test_before_a_model_has_scored_anything_the_views_hold_what_servers_said(output: Path) -> None:
    for table in ("scores", "models", "tags"):
        shutil.rmtree(output / table)
    assert main(["views", str(output)]) == ExitCode.DONE
    assert {row["outcome"] for row in predictions(output)} == {"gone", "bad_url"}
    assert len(query(output, "FROM latest_images")) == 5


def test_a_run_is_a_row_with_what_its_summary_counted(output: Path) -> None:
    (output / "runs").mkdir(exist_ok=True)
    for path in (output / "runs").iterdir():
        path.unlink()
    summary = {"rows_in": 5, "ok": 3, "failed": {"gone": 1, "bad_url": 1}, "seconds": 7.5, "images_per_s": 0.4}
    first = {"run_id": "r1", "job": "tag_bundles", "status": "done", "started_at": "2026-01-01T12:00:00+00:00"}
    document = {**first, "tasks": {"demo": {"file": "x"}, "other": {}}, "summary": {**summary, "work": {"slots": 2}}}
    (output / "runs/r1.json").write_text(json.dumps(document, indent=2))
    (output / "runs/r2.json").write_text(json.dumps({**first, "run_id": "r2", "status": "running"}, indent=2))
    assert main(["views", str(output)]) == ExitCode.DONE
    done, running = query(output, "FROM runs ORDER BY run_id")
    assert (done["run_id"], done["job"], done["status"], done["tasks"]) == (
        "r1", "tag_bundles", "done", ["demo", "other"],
    )  # fmt: skip
    assert {name: done[name] for name in summary} == summary
    assert done["started_at"] == datetime(2026, 1, 1, 12)
    assert (running["status"], running["rows_in"], running["failed"]) == ("running", None, None)
