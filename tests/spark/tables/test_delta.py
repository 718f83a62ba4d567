"""The tags as a Delta table: a commit for each decision that changes a row, read back by other programs."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from eoltag.decide.task import Task
from eoltag.errors import TaskError
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import read_tags, replace_tags
from eoltag.spark.tables.writers.delta import DIGEST, RUN, check_delta
from eoltag.spark.tables.writers.export import export_tags, exported_files
from tests.support.tables import bundle_rows, facts, rule, task

pytestmark = pytest.mark.spark
A, B = "https://eol.org/a.jpg", "https://eol.org/b.jpg"
_SIMPLE = ("outcome", "tag", "rule", "label", "confidence", "logit", "ancestry")


@pytest.fixture
def output(session: SparkSession, tmp_path: Path) -> Output:
    """A new directory."""
    return Output(session, str(tmp_path / "out"), "run1")


def kind(**content: Any) -> Task:
    """A task whose tags are wanted as a Delta table too."""
    return task(rules=(rule("bad", "label = 'bad'", "bad"),), missing="NA", formats=("tsv", "delta"), **content)


def decided(output: Output, known: dict[str, Any]) -> None:
    """Decide over three rows, one of which failed, and export."""
    rows = bundle_rows(output.session, [{"eolMediaURL": B, "ancestry": "Plantae"}, {"eolMediaURL": A}])
    found = facts(output.session, [{"eolMediaURL": B, "label": "bad", "logit": 2.5}, {"eolMediaURL": A, **known}])
    replace_tags(output, tag_rows(rows, found, kind()), "kind")
    export_tags(output, kind())


def history(output: Output) -> list[tuple[int, str]]:
    """Version and run of each commit, the latest first."""
    return [(one["version"], one[RUN]) for one in DeltaTable(f"{output.root}/delta/kind").history()]


def test_a_decision_is_a_commit_and_the_same_one_again_is_none(output: Output) -> None:
    gone = {"outcome": "gone", "http_status": 404}
    decided(output, gone)
    decided(replace(output, run_id="run2"), gone)  # as after a kill between the table and its note
    assert history(output) == [(0, "run1")]
    decided(replace(output, run_id="run3"), {"label": "good", "logit": 1.0})
    assert history(output) == [(1, "run3"), (0, "run1")]
    assert "delta/kind/_delta_log" in exported_files(output, kind())

    address = f"{output.root}/delta/kind"
    rows = [(B, 1, "bad", "bad"), (A, 2, "NA", None)]
    query = "SELECT eolMediaURL, bundle_row, tag, rule FROM tags ORDER BY bundle_row"
    tags = DeltaTable(address).to_pyarrow_table()
    connection = duckdb.connect()
    connection.register("tags", tags)
    assert connection.sql(query).fetchall() == rows
    before = pl.read_delta(address, version=0).sort("bundle_row")
    assert before["outcome"].to_list() == ["ok", "gone"]
    assert pl.read_delta(address).sort("bundle_row").select("eolMediaURL", "tag").rows() == [(B, "bad"), (A, "NA")]
    written = {row["eolMediaURL"]: row.asDict(recursive=True) for row in read_tags(output, "kind").collect()}
    for there in tags.to_pylist():
        mine = written[there["eolMediaURL"]]
        assert {*there} == {*mine}
        assert (there["logit"], there["confidence"], there["label"]) == (
            mine["logit"],
            mine["confidence"],
            mine["label"],
        )


def test_a_commit_names_what_it_wrote(output: Output) -> None:
    decided(output, {"outcome": "gone"})
    (commit,) = DeltaTable(f"{output.root}/delta/kind").history()
    assert commit[DIGEST].startswith("2 ")


def test_a_table_that_somebody_deleted_is_missed(output: Output) -> None:
    decided(output, {"outcome": "gone"})
    shutil.rmtree(f"{output.root}/delta")
    assert exported_files(output, kind()) == ["tsv/kind/list_failures.tsv", "tsv/kind/list_finaltags.tsv"]


def test_hdfs_is_refused_before_anything_is_fetched(session: SparkSession) -> None:
    with pytest.raises(TaskError, match=r"formats: delta: .+ Received: hdfs://nn/out"):
        check_delta(Output(session, "hdfs://nn/out", "run1"), kind())
