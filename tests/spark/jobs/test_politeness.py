"""The promise to hosts, seen where they see it: all Spark tasks of a run together keep to the rate in the settings."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.errors import ExitCode
from eoltag.settings import FetchSettings, Settings
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import TagRequest
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package

pytestmark = pytest.mark.spark

TASK = """
name = "kind"
missing = "unsure"
models.main.package = "package"
[[rules]]
name = "any"
when = "confidence >= 0"
tag_sql = "label"
"""
IMAGES = 60
RATE = 20.0
TASKS = 2
"""Spark tasks that run side by side: the session's cores. The first request of each need not wait for any other."""
LATE = 5
"""Requests that may come together because the ones before were held up by 0.25 s on a busy machine."""


def excess(asked_at: list[float]) -> float:
    """The most requests in any span of time beyond those that RATE allows in it."""
    return max(
        last - first + 1 - RATE * (asked_at[last] - asked_at[first])
        for first in range(len(asked_at))
        for last in range(first, len(asked_at))
    )


def test_all_tasks_of_a_run_together_ask_a_host_no_faster_than_the_settings_say(
    session: SparkSession, tmp_path: Path
) -> None:
    assert session.sparkContext.defaultParallelism == TASKS
    write_tiny_package(tmp_path / "package", "ab", 1)
    save(tmp_path / "one.jpg", 1)
    (tmp_path / "kind.toml").write_text(TASK, encoding="utf-8")
    output = tmp_path / "output"
    with Loopback(tmp_path) as server:
        urls = [server.url(f"/files/one.jpg?{number}") for number in range(IMAGES)]
        (tmp_path / "list.txt").write_text("\n".join(urls) + "\n", encoding="utf-8")
        settings = Settings(fetch=FetchSettings(allow_private_hosts=True, hosts={"127.0.0.1": RATE}))
        bundles, tasks = [str(tmp_path / "list.txt")], [str(tmp_path / "kind.toml")]
        request = TagRequest(bundles, tasks, str(output), settings, tmp_path, is_quiet=True)
        assert tag_bundles(request) is ExitCode.DONE
        asked_at = list(server.asked_at)
    outcomes = pq.read_table(output / "images", columns=["outcome"])["outcome"].to_pylist()
    assert outcomes == ["ok"] * len(asked_at) == ["ok"] * IMAGES
    assert excess(asked_at) <= TASKS + LATE
