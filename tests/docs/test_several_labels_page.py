"""The SQL on the page about several labels gives what the page says, over a tags table with several tags an image."""

import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs/how-to/several-labels.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def connection(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """The view `tags` over one task with several tags an image and one with one."""
    several = {
        "eolMediaURL": ["a", "b", "c", "d"], "outcome": ["ok", "ok", "ok", "gone"],
        "tag": ["flower|fruit", "fruit", "none", None], "tags": [["flower", "fruit"], ["fruit"], [], None],
        "confidences": pa.array([[0.9, 0.6], [0.8], [], None], pa.list_(pa.float32())),
    }  # fmt: skip
    single = {"eolMediaURL": ["a"], "outcome": ["ok"], "tag": ["fruit"]}
    for task, columns in {"flower_and_fruit": several, "kind": single}.items():
        (tmp_path / f"tags/task={task}").mkdir(parents=True)
        pq.write_table(pa.table(columns), tmp_path / f"tags/task={task}/part-0.parquet")
    opened = duckdb.connect()
    opened.execute(
        f"CREATE VIEW tags AS SELECT * FROM read_parquet('{tmp_path}/tags/*/*.parquet', "
        "hive_partitioning = true, union_by_name = true)"
    )
    return opened


def test_each_tag_is_counted_and_has_a_confidence_of_its_own(connection: duckdb.DuckDBPyConnection) -> None:
    counts, fruits = (connection.execute(query).fetchall() for query in QUERIES)
    assert counts == [("fruit", 2), ("flower", 1)]
    assert fruits == [("b", pytest.approx(0.8)), ("a", pytest.approx(0.6))]
