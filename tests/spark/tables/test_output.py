"""The output directory: appended, swapped whole, in bundle row order, and refused when it is not ours."""

import json
import os
import platform
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Task
from eoltag.errors import OutputError
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.tables.bundles import bundle_names, read_bundles, replace_bundles
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.tables.predictions import append_predictions, read_predictions
from eoltag.spark.tables.runs import write_record
from eoltag.spark.tables.schemas import IDENTITY
from eoltag.spark.tables.tags import read_tags, replace_tags
from eoltag.spark.tables.writers.export import export_tags
from tests.support.tables import bundle_rows, predictions, rule, task

pytestmark = pytest.mark.spark
A, B, C = "https://eol.org/a.jpg", "https://eol.org/b.jpg", "https://eol.org/c.jpg"


@pytest.fixture
def output(session: SparkSession, tmp_path: Path) -> Output:
    """Begun and empty."""
    new = Output(session, str(tmp_path / "out"), "run1")
    begin(new)
    return new


def test_predictions_are_appended_and_staging_disappears(session: SparkSession, output: Output, tmp_path: Path) -> None:
    append_predictions(output, predictions(session, [{"eolMediaURL": A, "scores": {"bad": 0.5}}]), 1)
    append_predictions(output, predictions(session, [{"eolMediaURL": B, "task": "other"}]), 1)
    end(output)
    table = read_predictions(output)
    assert table is not None
    assert sorted((row["task"], row["eolMediaURL"], row["scores"]) for row in table.collect()) == [
        ("kind", A, {"bad": 0.5}),
        ("other", B, None),
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_schema.json", "predictions"]
    (file,) = (tmp_path / "out/predictions/task=kind").rglob("*.parquet")
    assert pq.read_table(file).num_rows == 1


def test_predictions_from_before_the_engine_was_written_stay_readable(
    session: SparkSession, output: Output, tmp_path: Path
) -> None:
    append_predictions(output, predictions(session, [{"eolMediaURL": A, "label": "bad"}]).drop("engine"), 1)
    (file,) = (tmp_path / "out/predictions/task=kind").rglob("*.parquet")
    assert "engine" not in pq.read_schema(file).names
    append_predictions(output, predictions(session, [{"eolMediaURL": B, "engine": "openvino-int8"}]), 1)
    table = read_predictions(output)
    assert table is not None
    assert sorted((row["eolMediaURL"], row["label"], row["engine"]) for row in table.collect()) == [
        (A, "bad", None),
        (B, None, "openvino-int8"),
    ]


def test_tags_are_replaced_whole(session: SparkSession, output: Output) -> None:
    rows = bundle_rows(session, [{"eolMediaURL": A}])
    for label in ("bad", "good"):
        known = predictions(session, [{"eolMediaURL": A, "label": label}])
        replace_tags(output, tag_rows(rows, known, task()), "kind")
    assert [row["label"] for row in read_tags(output, "kind").collect()] == ["good"]


def test_a_kill_between_the_two_renames_of_a_swap_is_mended_by_the_next_run(
    session: SparkSession, output: Output, tmp_path: Path
) -> None:
    replace_tags(output, tag_rows(bundle_rows(session, [{"eolMediaURL": A}]), None, task()), "kind")
    rows = bundle_rows(session, [{"eolMediaURL": A, "bundle": "one"}]).select(*IDENTITY)
    replace_bundles(output, rows, "kind")
    root = tmp_path / "out"
    for part in ("tags/task=kind", "bundles/task=kind/bundle=one"):
        replaced = root / "_staging/killed/replaced" / part
        replaced.parent.mkdir(parents=True)
        (root / part).rename(replaced)
    after = Output(session, str(root), "run2")
    begin(after)
    assert [row["eolMediaURL"] for row in read_tags(after, "kind").collect()] == [A]
    assert [row["bundle"] for row in read_bundles(after, "kind").collect()] == ["one"]
    assert not (root / "_staging/killed").exists()


def test_a_bundle_is_replaced_and_the_others_stay(session: SparkSession, output: Output) -> None:
    both = [{"eolMediaURL": A, "bundle": "000001"}, {"eolMediaURL": B, "bundle": "two", "bundle_row": 1}]
    replace_bundles(output, bundle_rows(session, both).select(*IDENTITY), "kind")
    replace_bundles(output, bundle_rows(session, [{"eolMediaURL": C, "bundle": "two"}]).select(*IDENTITY), "kind")
    assert sorted((row["bundle"], row["eolMediaURL"]) for row in read_bundles(output, "kind").collect()) == [
        ("000001", A),
        ("two", C),
    ]
    odd = "a b:c=100%é"
    replace_bundles(
        output, bundle_rows(session, [{"eolMediaURL": C, "bundle": odd, "bundle_row": 1}]).select(*IDENTITY), "kind"
    )
    assert sorted(bundle_names(output, "kind")) == ["000001", odd, "two"]


def test_the_tsv_is_in_row_order_with_the_columns_asked_for_and_failures_beside(
    session: SparkSession, output: Output, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [
        {"eolMediaURL": B, "identifier": "EOL-2", "dataObjectVersionID": "2", "ancestry": "Plantae|Rosa"},
        {"eolMediaURL": A, "identifier": "tab\tand\r\nline\u2028break"},
        {"eolMediaURL": C},
        {"eolMediaURL": C, "bundle": "only_failures", "bundle_row": 1},
    ]
    known = [
        {"eolMediaURL": A, "label": "good", "logit": -0.25},
        {"eolMediaURL": B, "dataObjectVersionID": "2", "label": "bad", "logit": 2.5},
        {"eolMediaURL": C, "outcome": "gone", "http_status": 404, "detail": "HTTP 404"},
    ]
    columns = (
        "eolMediaURL",
        "identifier",
        "dataObjectVersionID",
        "ancestry",
        "imclass=tag",
        "confidence=logit",
        "m=main.label",
    )
    kind = task(columns=columns, rules=(rule("bad", "label = 'bad'", "bad"),), missing="NA")
    replace_tags(output, tag_rows(bundle_rows(session, rows), predictions(session, known), kind), "kind")
    for _ in range(2):
        export_tags(output, kind)
        folder = tmp_path / "out/tsv/kind"
        assert (folder / "list_finaltags.tsv").read_text() == (
            "eolMediaURL\tidentifier\tdataObjectVersionID\tancestry\timclass\tconfidence\tm\n"
            f"{B}\tEOL-2\t2\tPlantae|Rosa\tbad\t2.5\tbad\n"
            f"{A}\ttab and line break\t\tNA\tNA\t-0.25\tgood\n"
        )
        failures = "eolMediaURL\tidentifier\tdataObjectVersionID\toutcome\thttp_status\tdetail\n"
        assert (folder / "list_failures.tsv").read_text() == f"{failures}{C}\t\t\tgone\t404\tHTTP 404\n"
        assert (folder / "only_failures_finaltags.tsv").read_text().count("\n") == 1
        assert sorted(path.name for path in folder.iterdir()) == [
            "list_failures.tsv",
            "list_finaltags.tsv",
            "only_failures_failures.tsv",
            "only_failures_finaltags.tsv",
        ]


def decided(output: Output, session: SparkSession, content: list[dict[str, Any]], **of_task: Any) -> Task:
    """Tags of rows that are all predicted as bad."""
    kind = task(**of_task)
    known = predictions(session, [{"eolMediaURL": row["eolMediaURL"], "label": "bad"} for row in content])
    replace_tags(output, tag_rows(bundle_rows(session, content), known, kind), "kind")
    return kind


def tsv_of(output: Output) -> dict[str, str]:
    """Name -> text of the TSV files."""
    return {path.name: path.read_text() for path in (Path(output.root) / "tsv/kind").iterdir()}


def test_the_tsv_keeps_the_order_of_the_bundle_however_many_files_are_written_at_a_time(
    session: SparkSession, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"https://eol.org/{number:03}.jpg" for number in range(300)]
    rows: list[dict[str, Any]] = [
        {"eolMediaURL": url, "bundle": f"list{number % 3}", "bundle_row": 300 - number}
        for number, url in enumerate(urls)
    ]
    kind = decided(output, session, rows)
    export_tags(output, kind)
    first = tsv_of(output)
    assert [line.split("\t")[0] for line in first["list1_finaltags.tsv"].splitlines()[1:]] == urls[1::3][::-1]
    changed = decided(output, session, rows, rules=(rule("all", "label = 'bad'", "x"),))
    export_tags(output, changed)
    second = tsv_of(output)
    assert second == {name: text.replace("\tNA\t\n", "\tx\t\n") for name, text in first.items()}
    monkeypatch.setattr("eoltag.spark.tables.writers.export._MOST_OPEN", 1)
    export_tags(output, changed)
    assert tsv_of(output) == second


@pytest.mark.parametrize("mark", ["\t", "\n", "\r", "\u000b", "\u000c", "\u0085", "\u2028", "\u2029"])
def test_a_break_in_a_tag_is_mended(session: SparkSession, output: Output, mark: str) -> None:
    kind = decided(output, session, [{"eolMediaURL": A}], rules=(rule("all", "true", f"a{mark}b"),))
    export_tags(output, kind)
    assert tsv_of(output)["list_finaltags.tsv"].splitlines()[1] == f"{A}\t\t\tNA\ta b\t"


def test_a_break_in_a_bundle_row_is_mended(session: SparkSession, output: Output) -> None:
    kind = decided(output, session, [{"eolMediaURL": A}, {"eolMediaURL": B, "ancestry": "a\u2028b"}])
    export_tags(output, kind)
    assert tsv_of(output)["list_finaltags.tsv"].splitlines()[1:] == [f"{A}\t\t\tNA\tNA\t", f"{B}\t\t\ta b\tNA\t"]


def test_failures_that_were_mended_leave_no_stale_file(session: SparkSession, output: Output, tmp_path: Path) -> None:
    rows = bundle_rows(session, [{"eolMediaURL": A}])
    for outcome in ("timeout", "ok"):
        known = predictions(session, [{"eolMediaURL": A, "outcome": outcome, "label": "bad"}])
        replace_tags(output, tag_rows(rows, known, task()), "kind")
        export_tags(output, task())
    assert [path.name for path in (tmp_path / "out/tsv/kind").iterdir()] == ["list_finaltags.tsv"]


@pytest.mark.parametrize("content", ['{"schema_version": 99}', "[]", "no json"])
def test_an_output_of_another_schema_version_is_refused(session: SparkSession, tmp_path: Path, content: str) -> None:
    (tmp_path / "_schema.json").write_text(content)
    with pytest.raises(OutputError, match=r"_schema\.json|schema version"):
        open_output(session, str(tmp_path))


def test_tables_of_unknown_origin_are_refused(session: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "predictions").mkdir()
    with pytest.raises(OutputError, match="not written by this eoltag"):
        open_output(session, str(tmp_path))


def test_a_run_is_written_as_json(output: Output, tmp_path: Path) -> None:
    write_record(output, {"status": "running"})
    write_record(output, {"status": "done"})
    assert json.loads((tmp_path / "out/runs/run1.json").read_text()) == {"status": "done"}


def lock(output: Output, **holder: object) -> None:
    """Another run at work."""
    output.files.write_text(output.path("_staging", "lock.json"), json.dumps(holder))


def test_a_second_run_at_the_same_time_is_refused_and_touches_nothing(
    session: SparkSession, output: Output, tmp_path: Path
) -> None:
    (tmp_path / "out/_staging/run1").mkdir()
    lock(output, run_id="run1", host=platform.node(), pid=os.getppid())
    with pytest.raises(OutputError, match="run run1 is at work here"):
        begin(Output(session, output.root, "run2"))
    lock(output, run_id="run1", host="elsewhere", pid=1)
    with pytest.raises(OutputError, match="host elsewhere"):
        begin(Output(session, output.root, "run2"))
    assert (tmp_path / "out/_staging/run1").exists()


@pytest.mark.parametrize("left", ['{"run_id": "run1", "host": "HOST", "pid": 4194305}', "", '{"run'])
def test_the_lock_of_a_dead_run_is_taken_over(session: SparkSession, output: Output, left: str) -> None:
    output.files.write_text(output.path("_staging", "lock.json"), left.replace("HOST", platform.node()))
    after = Output(session, output.root, "run2")
    begin(after)
    end(after)
    assert not after.files.exists(after.path("_staging"))


def test_an_output_that_is_a_file_is_refused(session: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file: cannot be written"):
        begin(Output(session, str(tmp_path / "file"), "run"))


def test_runs_sort_by_name_as_they_began_also_within_a_second(session: SparkSession, tmp_path: Path) -> None:
    before = open_output(session, str(tmp_path)).run_id
    for _ in range(20):
        started = datetime.now(UTC)
        while datetime.now(UTC) - started < timedelta(milliseconds=1):
            pass
        after = open_output(session, str(tmp_path)).run_id
        assert before < after
        before = after
