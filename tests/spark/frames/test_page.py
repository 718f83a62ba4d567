"""docs/how-to/dataframes.md is true: its example runs in a session of its own, its table names the fields."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

from eoltag.spark.frames.functions import TAGGED
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.pictures import save
from tests.support.readme import blocks, page, section, spans, tables
from tests.support.tiny_package import write_tiny_package

pytestmark = pytest.mark.spark

PAGE: Final = page("how-to/dataframes.md")
IMAGES: Final = 7
"""Of each, many URLs."""

OPEN: Final = """
import json, sys
from pathlib import Path
from pyspark.sql import SparkSession
builder = SparkSession.builder.config("spark.python.worker.reuse", "false")
mine = (builder.remote if sys.argv[1] == "connect" else builder.master)("local[2]").getOrCreate()
urls = Path("urls.txt").read_text().split("\\n")
mine.createDataFrame(list(enumerate(urls)), "id int, image_url string").write.parquet("photos.parquet")
def known():
    conf = mine.conf.getAll
    files = [str(path) for folder in (".", sys.argv[2]) for path in Path(folder).rglob("*")]
    return dict(conf() if callable(conf) else conf), sorted(path for path in files if "tagged.parquet" not in path)
before = known()
"""
CLOSE: Final = """
rows = mine.read.parquet("tagged.parquet").select("id", "image_url", "tagged.outcome", "tagged.tag").collect()
same = known() == before
mine.stop()
print(json.dumps({"same": same, "rows": [list(row) for row in rows]}))
"""


def lay(folder: Path) -> None:
    """Pictures, a model and a task, where the example has them."""
    for number in range(IMAGES):
        save(folder / f"{number}.jpg", number, (40, 30))
    write_tiny_package(folder / "desk/mine/flowers", "ab", 1)
    rule = '[[rules]]\nname = "any"\nwhen = "confidence > 0"\ntag = "flower"\n'
    (folder / "desk/mine/flowers.toml").write_text(f'name = "flowers"\nmodels.main.package = "flowers"\n{rule}')
    (folder / "temporary").mkdir()


def run_example(folder: Path, count: int, kind: str) -> tuple[dict[str, Any], list[str]]:
    """What a program with the example says in the end, over that many URLs; and what was asked for."""
    lay(folder)
    (example,) = blocks("python", PAGE)
    local = example.replace('"requests_per_s": 5.0', '"requests_per_s": 5.0, "allow_private_hosts": True')
    assert local != example
    (folder / "example.py").write_text(OPEN + local + CLOSE)
    with Loopback(folder) as server:
        urls = [server.url(f"/files/{number % IMAGES}.jpg?n={number}") for number in range(count - 2)]
        (folder / "desk/urls.txt").write_text("\n".join([*urls, urls[0], "none"]))
        done = subprocess.run(
            [sys.executable, str(folder / "example.py"), kind, str(folder / "temporary")],
            cwd=folder / "desk",
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
                "PYSPARK_PYTHON": sys.executable,
                "PYSPARK_SUBMIT_ARGS": "pyspark-shell",
                "TMPDIR": str(folder / "temporary"),
            },
            capture_output=True,
            text=True,
            timeout=280,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found, server.requests


def check(folder: Path, count: int, kind: str) -> None:
    """Every row once with its tag, each URL fetched once, and nothing left or changed."""
    found, requests = run_example(folder, count, kind)
    assert found["same"], "a setting of the session or a file is another one"
    assert sorted(row[0] for row in found["rows"]) == list(range(count))
    assert [row[2:] for row in found["rows"] if row[0] != count - 1] == [["ok", "flower"]] * (count - 1)
    assert [row[1:] for row in found["rows"] if row[0] == count - 1] == [["none", "bad_url", None]]
    assert len(requests) == len(set(requests)) == count - 2
    assert list((folder / "temporary").iterdir()) == []


def test_the_example_runs_in_a_session_of_its_own_and_leaves_nothing_behind(tmp_path: Path) -> None:
    check(tmp_path, 20, "classic")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classic", "connect"])
def test_a_thousand_rows_stay_a_thousand_on_a_session_of_each_kind(kind: str, tmp_path: Path) -> None:
    if kind == "connect" and find_spec("grpc_status") is None:
        pytest.skip("Spark Connect needs pip install 'pyspark[connect]'")
    check(tmp_path, 1000, kind)


def test_the_page_lists_the_fields_in_their_order() -> None:
    (rows,) = tables(section("What you get", PAGE))
    assert [name for row in rows for name in spans(row[0])] == list(TAGGED)


def test_whoever_imports_the_package_needs_no_pyspark() -> None:
    code = "import sys, eoltag, eoltag.spark, eoltag.spark.requests; print('pyspark' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
