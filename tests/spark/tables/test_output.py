"""The output directory: appended, swapped whole, in bundle row order, and refused when it is not ours."""

import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Task
from eoltag.errors import OutputError
from eoltag.local.claims import Claim
from eoltag.spark.decide.decision import begin_change
from eoltag.spark.decide.rules import Facts, tag_rows
from eoltag.spark.tables.bundles import read_bundles, replace_bundles
from eoltag.spark.tables.decided import bundles_of
from eoltag.spark.tables.facts import FACTS, IMAGES, SCORES, append_facts, read_facts
from eoltag.spark.tables.lock import FOLDER, begin, end, locked
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.tables.runs import write_record
from eoltag.spark.tables.schemas import IDENTITY
from eoltag.spark.tables.tags import read_tags, replace_tags
from eoltag.spark.tables.writers.export import export_tags
from tests.support.tables import VERSION, append, bundle_rows, content_of, facts, rule, task

pytestmark = pytest.mark.spark
NOTHING = Facts(None, None, None)
A, B, C = "https://eol.org/a.jpg", "https://eol.org/b.jpg", "https://eol.org/c.jpg"


@pytest.fixture
def output(session: SparkSession, tmp_path: Path) -> Output:
    """Begun and empty."""
    new = Output(session, str(tmp_path / "out"), "run1")
    begin(new)
    return new


def test_facts_are_appended_to_their_tables_and_staging_disappears(
    session: SparkSession, output: Output, tmp_path: Path
) -> None:
    append(output, facts(session, [{"eolMediaURL": A, "scores": [0.5, -1.5], "mnorm_pp": 3.0}]))
    append(output, facts(session, [{"eolMediaURL": B, "outcome": "gone"}]))
    append(output, facts(session, [{"eolMediaURL": C, "scores": [2.0, 1.0], "model_version": "bbbbbbbbbbbb"}]))
    end(output)
    images, scores = read_facts(output, IMAGES), read_facts(output, SCORES)
    assert images is not None
    assert scores is not None
    assert sorted((row["eolMediaURL"], row["outcome"], row["content_sha256"]) for row in images.collect()) == [
        (A, "ok", content_of(A)), (B, "gone", None), (C, "ok", content_of(C)),
    ]  # fmt: skip
    assert sorted((row["model_version"], row["content_sha256"], row["scores"]) for row in scores.collect()) == [
        (VERSION, content_of(A), [0.5, -1.5]), ("bbbbbbbbbbbb", content_of(C), [2.0, 1.0]),
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "_schema.json",
        "images",
        "measures",
        "scores",
    ]
    (file,) = (tmp_path / f"out/scores/model_version={VERSION}").rglob("*.parquet")
    assert pq.read_table(file).num_rows == 1


def test_a_content_is_scored_once_by_a_model_whoever_hands_it_in_again(session: SparkSession, output: Output) -> None:
    append(output, facts(session, [{"eolMediaURL": A, "scores": [1.0, 0.0]}]))
    append(output, facts(session, [{"eolMediaURL": A, "scores": [9.0, 0.0]}, {"eolMediaURL": B, "scores": [2.0, 0.0]}]))
    append(output, facts(session, [{"eolMediaURL": A, "scores": [3.0, 0.0], "model_version": "bbbbbbbbbbbb"}]))
    scores, images = read_facts(output, SCORES), read_facts(output, IMAGES)
    assert scores is not None
    assert images is not None
    assert sorted((row["model_version"], row["scores"][0]) for row in scores.collect()) == [
        (VERSION, 1.0), (VERSION, 2.0), ("bbbbbbbbbbbb", 3.0),
    ]  # fmt: skip
    assert images.where(f"eolMediaURL = '{A}'").count() == 3, "every answer of a server is a row"


def test_a_table_without_rows_is_none_and_one_that_lacks_a_later_column_gives_null(
    session: SparkSession, output: Output
) -> None:
    assert [read_facts(output, table) for table in FACTS] == [None] * len(FACTS)
    known = facts(session, [{"eolMediaURL": A}]).images
    assert known is not None
    append_facts(output, IMAGES, known.drop("rendition"), 1)
    images = read_facts(output, IMAGES)
    assert images is not None
    assert [(row["eolMediaURL"], row["rendition"]) for row in images.collect()] == [(A, None)]


def test_tags_are_replaced_whole(session: SparkSession, output: Output) -> None:
    rows = bundle_rows(session, [{"eolMediaURL": A}])
    for label in ("bad", "good"):
        known = facts(session, [{"eolMediaURL": A, "label": label}])
        replace_tags(output, tag_rows(rows, known, task()), "kind")
    assert [row["label"] for row in read_tags(output, "kind").collect()] == ["good"]
    folder = Path(output.root) / "tags/task=kind"
    assert [path.name for path in folder.iterdir()] == ["part-0.parquet"], "who has listed it finds the old or the new"


def test_a_kill_between_the_two_renames_of_a_swap_is_mended_by_the_next_run(
    session: SparkSession, output: Output, tmp_path: Path
) -> None:
    replace_tags(output, tag_rows(bundle_rows(session, [{"eolMediaURL": A}]), NOTHING, task()), "kind")
    rows = bundle_rows(session, [{"eolMediaURL": A, "bundle": "one"}]).select(*IDENTITY)
    begin_change(output, task(), ["one"])
    replace_bundles(output, rows)
    append(output, facts(session, [{"eolMediaURL": A, "label": "bad"}]))
    root = tmp_path / "out"
    for part in ("tags/task=kind", "bundles/bundle=one", f"scores/model_version={VERSION}", "images"):
        replaced = root / "_staging/killed/replaced" / part
        replaced.parent.mkdir(parents=True, exist_ok=True)
        (root / part).rename(replaced)
    after = Output(session, str(root), "run2")
    begin(after)
    assert [row["eolMediaURL"] for row in read_tags(after, "kind").collect()] == [A]
    assert [row["bundle"] for row in read_bundles(after, "kind").collect()] == ["one"]
    for table in (IMAGES, SCORES):
        known = read_facts(after, table)
        assert known is not None
        assert known.count() == 1
    assert not (root / "_staging/killed").exists()


def test_a_bundle_is_replaced_and_the_others_stay(session: SparkSession, output: Output) -> None:
    def keep(*rows: dict[str, Any]) -> None:
        begin_change(output, task(), {row["bundle"] for row in rows})
        replace_bundles(output, bundle_rows(session, rows).select(*IDENTITY))

    keep({"eolMediaURL": A, "bundle": "000001"}, {"eolMediaURL": B, "bundle": "two", "bundle_row": 1})
    keep({"eolMediaURL": C, "bundle": "two"})
    assert sorted((row["bundle"], row["eolMediaURL"]) for row in read_bundles(output, "kind").collect()) == [
        ("000001", A),
        ("two", C),
    ]
    odd = "x_breakdown.v-2"
    keep({"eolMediaURL": C, "bundle": odd, "bundle_row": 1})
    assert bundles_of(output, "kind") == ["000001", "two", odd]
    assert sorted(row["bundle"] for row in read_bundles(output, "kind").collect()) == ["000001", "two", odd]


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
    replace_tags(output, tag_rows(bundle_rows(session, rows), facts(session, known), kind), "kind")
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
    known = facts(session, [{"eolMediaURL": row["eolMediaURL"], "label": "bad"} for row in content])
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
    assert second == {name: text.replace("\tNA\t0.9\n", "\tx\t0.9\n") for name, text in first.items()}
    monkeypatch.setattr("eoltag.spark.tables.writers.export._MOST_OPEN", 1)
    export_tags(output, changed)
    assert tsv_of(output) == second


@pytest.mark.parametrize("mark", ["\t", "\n", "\r", "\u000b", "\u000c", "\u0085", "\u2028", "\u2029"])
def test_a_break_in_a_tag_is_mended(session: SparkSession, output: Output, mark: str) -> None:
    kind = decided(output, session, [{"eolMediaURL": A}], rules=(rule("all", "true", f"a{mark}b"),))
    export_tags(output, kind)
    assert tsv_of(output)["list_finaltags.tsv"].splitlines()[1] == f"{A}\t\t\tNA\ta b\t0.9"


def test_a_break_in_a_bundle_row_is_mended(session: SparkSession, output: Output) -> None:
    kind = decided(output, session, [{"eolMediaURL": A}, {"eolMediaURL": B, "ancestry": "a\u2028b"}])
    export_tags(output, kind)
    assert tsv_of(output)["list_finaltags.tsv"].splitlines()[1:] == [f"{A}\t\t\tNA\tNA\t0.9", f"{B}\t\t\ta b\tNA\t0.9"]


def test_failures_that_were_mended_leave_no_stale_file(session: SparkSession, output: Output, tmp_path: Path) -> None:
    rows = bundle_rows(session, [{"eolMediaURL": A}])
    for outcome in ("timeout", "ok"):
        known = facts(session, [{"eolMediaURL": A, "outcome": outcome, "label": "bad"}])
        replace_tags(output, tag_rows(rows, known, task()), "kind")
        export_tags(output, task())
    assert [path.name for path in (tmp_path / "out/tsv/kind").iterdir()] == ["list_finaltags.tsv"]


@pytest.mark.parametrize("content", ['{"schema_version": 99}', '{"schema_version": 1}', "[]", "no json"])
def test_an_output_of_another_schema_version_is_refused(session: SparkSession, tmp_path: Path, content: str) -> None:
    (tmp_path / "_schema.json").write_text(content)
    with pytest.raises(OutputError, match=r"_schema\.json|schema version"):
        open_output(session, str(tmp_path))


@pytest.mark.parametrize("table", ["images", "tags"])
def test_tables_of_unknown_origin_are_refused(session: SparkSession, tmp_path: Path, table: str) -> None:
    (tmp_path / table).mkdir()
    with pytest.raises(OutputError, match="not written by this eoltag"):
        open_output(session, str(tmp_path))


def test_a_run_is_written_as_json(output: Output, tmp_path: Path) -> None:
    write_record(output, {"status": "running"})
    write_record(output, {"status": "done"})
    assert json.loads((tmp_path / "out/runs/run1.json").read_text()) == {"status": "done"}


def test_a_second_run_at_the_same_time_is_refused_and_touches_nothing(
    session: SparkSession, output: Output, tmp_path: Path
) -> None:
    end(output)
    (tmp_path / "out/_staging/run1").mkdir(parents=True)
    claim = Claim("run1", "elsewhere", 1, "", 300.0, is_held=True)
    output.files.write_text(output.path(FOLDER, "run1.json"), json.dumps(asdict(claim)))
    with pytest.raises(OutputError, match=r"out: run run1 is at work here \(host elsewhere, process 1\)"):
        begin(Output(session, output.root, "run2"))
    assert (tmp_path / "out/_staging/run1").exists()
    assert [path.name for path in (tmp_path / "out" / FOLDER).iterdir()] == ["run1.json"]


def test_the_leftovers_of_a_dead_run_go_with_its_lock(session: SparkSession, output: Output, tmp_path: Path) -> None:
    root = tmp_path / "out"
    for name in ("_staging/run1/tags/part-0.parquet", "_staging/odd", "runs/run1.json.tmp", "report/index.html.tmp"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("half")
    after = Output(session, output.root, "run2")
    begin(after)
    end(after)
    assert sorted(path.name for path in root.iterdir()) == ["_schema.json", "report", "runs"]
    assert [*(root / "report").iterdir(), *(root / "runs").iterdir()] == []


def test_a_run_whose_directory_was_deleted_writes_nothing_more_and_the_next_one_is_not_refused(
    session: SparkSession, tmp_path: Path
) -> None:
    output = Output(session, str(tmp_path / "out"), "run1")
    with locked(output):
        shutil.rmtree(output.root)
        with pytest.raises(OutputError, match="out: the lock of this run is gone"):
            append(output, facts(session, [{"eolMediaURL": A}]))
        with pytest.raises(OutputError, match="out: the lock of this run is gone"):
            replace_tags(output, tag_rows(bundle_rows(session, [{"eolMediaURL": A}]), NOTHING, task()), "kind")
    with locked(open_output(session, output.root)):
        pass


def test_an_output_that_is_a_file_is_refused(session: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file: cannot be written"):
        begin(Output(session, str(tmp_path / "file"), "run"))


@pytest.mark.parametrize(
    ("address", "said"),
    [("hdfs://no-such-host.invalid:1/out", "UnknownHostException"), ("nofs://bucket/out", "No FileSystem for scheme")],
)
def test_an_address_that_nothing_answers_to_is_refused_in_one_line(
    session: SparkSession, address: str, said: str
) -> None:
    with pytest.raises(OutputError, match=f"^{address}: .*{said}[^\\n]*$"):
        open_output(session, address)


def test_runs_sort_by_name_as_they_began_also_within_a_second(session: SparkSession, tmp_path: Path) -> None:
    before = open_output(session, str(tmp_path)).run_id
    for _ in range(20):
        started = datetime.now(UTC)
        while datetime.now(UTC) - started < timedelta(milliseconds=1):
            pass
        after = open_output(session, str(tmp_path)).run_id
        assert before < after
        before = after
