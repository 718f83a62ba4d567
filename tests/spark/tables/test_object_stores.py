"""Where no folder is renamed in one step: what a killed run has left is read as the old or the new, and mended.

An address that begins with file:// goes through Hadoop's file systems, and none of them is taken to rename in one step.
"""

import json
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from eoltag.model.package import read_package
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.predict.remote import fetch_package
from eoltag.spark.tables.facts import IMAGES, append_facts, read_facts
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IMAGES as SCHEMA
from eoltag.spark.tables.tags import read_tags, replace_tags
from tests.support.tables import bundle_rows, facts, rule, task

pytestmark = pytest.mark.spark
A, B = "https://eol.org/a.jpg", "https://eol.org/b.jpg"


@pytest.fixture
def output(session: SparkSession, tmp_path: Path) -> Output:
    """A new directory with a lock."""
    new = Output(session, f"file://{tmp_path}/out", "run1")
    begin(new)
    return new


def decide(output: Output, tag: str) -> None:
    """Both images get this tag."""
    kind = task(rules=(rule("all", "true", tag),))
    rows = bundle_rows(output.session, [{"eolMediaURL": A}, {"eolMediaURL": B}])
    replace_tags(output, tag_rows(rows, facts(output.session, [{"eolMediaURL": A}, {"eolMediaURL": B}]), kind), "kind")


def tags(output: Output) -> list[str]:
    """As all jobs read them."""
    return [row.tag for row in read_tags(output, "kind").select("tag").collect()]


def note(output: Output, folder: str, old: list[str], new: list[str]) -> None:
    """As a killed run leaves it."""
    text = json.dumps({"folder": folder, "old": old, "new": new})
    output.files.write_text(output.path("_staging/swaps/swap.json"), text)


@pytest.mark.parametrize("is_complete", [False, True])
def test_after_a_kill_the_tags_are_the_old_or_the_new_ones(output: Output, tmp_path: Path, is_complete: bool) -> None:
    decide(output, "old")
    assert tags(output) == ["old", "old"]
    kept, old = tmp_path / "kept.parquet", "part-of-a-larger-table.parquet"
    (written,) = (tmp_path / "out/tags/task=kind").glob("part-*")
    shutil.copy(written, kept)
    decide(output, "new")
    assert tags(output) == ["new", "new"]
    (new,) = [path.name for path in (tmp_path / "out/tags/task=kind").glob("part-*")]
    shutil.copy(kept, tmp_path / "out/tags/task=kind" / old)  # both are there
    note(output, "tags/task=kind", [old], [new] if is_complete else [new, "part-that-is-missing"])
    wanted = ["new", "new"] if is_complete else ["old", "old"]
    assert tags(output) == wanted
    end(output)
    begin(Output(output.session, output.root, "run2"))
    assert tags(output) == wanted
    assert [path.name for path in (tmp_path / "out/tags/task=kind").glob("part-*")] == [new if is_complete else old]
    assert not (tmp_path / "out/_staging/swaps/swap.json").exists()


def test_rows_of_facts_count_once_while_their_files_are_replaced(output: Output, tmp_path: Path) -> None:
    known = facts(output.session, [{"eolMediaURL": A}, {"eolMediaURL": B}]).images
    assert known is not None
    append_facts(output, IMAGES, known, 2)
    (old,) = [path.name for path in (tmp_path / "out/images").glob("part-*")]
    shutil.copy(tmp_path / "out/images" / old, tmp_path / "out/images/part-copy.parquet")
    note(output, "images", [old], ["part-copy.parquet"])
    found = read_facts(output, IMAGES)
    assert found is not None
    assert found.schema == SCHEMA
    assert sorted(row.eolMediaURL for row in found.collect()) == [A, B]


def test_a_package_is_read_where_only_spark_reads(session: SparkSession, small_package: Path, tmp_path: Path) -> None:
    assert session is not None
    shutil.copytree(small_package, tmp_path / "models/kind")
    there = fetch_package(f"file://{tmp_path}/models/kind/")
    assert (there.version, there.origin) == (read_package(small_package).version, f"file://{tmp_path}/models/kind/")
    assert there.pack(there.fastest_engine)
