"""Output directories that earlier versions wrote: read, checked and decided again by this one, with nothing lost.

A change of the tables is caught here. It takes a new SCHEMA_VERSION, a fixture of it (tests/support/written.py), and,
for every version that was released from 1.0 on, a step that brings its directories forward.
"""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.spark.runtime.command import run_command
from eoltag.spark.tables.facts import FACTS
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.tables.schemas import SCHEMA_VERSION
from jobs import compact_tables
from tests.support.verifying import findings_below
from tests.support.written import WRITTEN

pytestmark = pytest.mark.spark
KEPT = sorted(int(path.name) for path in WRITTEN.iterdir())
"""Schema versions of which there is a directory."""


@pytest.fixture(params=KEPT)
def output(session: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Output:
    """A copy of one."""
    shutil.copytree(WRITTEN / str(request.param), tmp_path / "out")
    return open_output(session, str(tmp_path / "out"))


def test_there_is_a_directory_of_the_present_schema_version() -> None:
    assert KEPT[-1] == SCHEMA_VERSION


def test_a_directory_of_an_earlier_version_has_the_columns_of_this_one_and_nothing_is_wrong(output: Output) -> None:
    for table in FACTS:
        files = [*Path(output.root, table.name).rglob("*.parquet")]
        assert bool(files) == (table.name != "measures")
        for file in files:
            named = [name for name in table.schema.fieldNames() if name != table.partition]
            assert pq.ParquetFile(file).schema_arrow.names == named
    assert [*findings_below(output.session, Path(output.root).parent)] == []


def test_a_directory_of_an_earlier_version_can_be_compacted_and_still_holds_the_same(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _rows(output)
    assert run_command(lambda: compact_tables.main(arguments=["--output", output.root, "--json"])) == 0
    assert json.loads(capsys.readouterr().out)
    assert _rows(output) == before
    assert [*findings_below(output.session, Path(output.root).parent)] == []


def _rows(output: Output) -> dict[str, int]:
    there = [name for name in (table.name for table in FACTS) if Path(output.root, name).exists()]
    return {name: output.session.read.parquet(f"{output.root}/{name}").count() for name in there}
