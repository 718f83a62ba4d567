"""The promise to hosts, seen where they see it: all Spark tasks of a run together keep to the rate in the settings."""

import json
from pathlib import Path
from typing import Any

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


def run(folder: Path, server: Loopback, images: int, **fetch: object) -> dict[str, Any]:
    """Tags so many images of one server, and returns the summary of the run."""
    write_tiny_package(folder / "package", "ab", 1)
    save(folder / "one.jpg", 1)
    (folder / "kind.toml").write_text(TASK, encoding="utf-8")
    urls = [server.url(f"/files/one.jpg?{number}") for number in range(images)]
    (folder / "list.txt").write_text("\n".join(urls) + "\n", encoding="utf-8")
    settings = Settings(fetch=FetchSettings.model_validate({"allow_private_hosts": True, **fetch}))
    bundles, tasks = [str(folder / "list.txt")], [str(folder / "kind.toml")]
    request = TagRequest(bundles, tasks, str(folder / "output"), settings, folder, is_quiet=True)
    assert tag_bundles(request) is ExitCode.DONE
    (record,) = (folder / "output/runs").glob("*.json")
    summary: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))["summary"]
    return summary


def test_all_tasks_of_a_run_together_ask_a_host_no_faster_than_the_settings_say(
    session: SparkSession, tmp_path: Path
) -> None:
    assert session.sparkContext.defaultParallelism == TASKS
    with Loopback(tmp_path) as server:
        run(tmp_path, server, IMAGES, hosts={"127.0.0.1": RATE})
        asked_at = list(server.asked_at)
    outcomes = pq.read_table(tmp_path / "output/images", columns=["outcome"])["outcome"].to_pylist()
    assert outcomes == ["ok"] * len(asked_at) == ["ok"] * IMAGES
    assert excess(asked_at) <= TASKS + LATE


def test_no_image_is_lost_when_the_server_is_away_for_a_while_in_the_middle_of_a_run(
    session: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert session.sparkContext.defaultParallelism == TASKS
    with Loopback(tmp_path) as server:
        server.outage = (50, 2.0)
        summary = run(tmp_path, server, 200, attempts=1)
    assert (summary["ok"], summary["failed"]) == (200, {})
    work = summary["work"]
    assert work["asked_again"] > 0
    assert 0.5 < work["hosts_away_s"]["127.0.0.1"] < 20.0
    shown = capsys.readouterr().out
    assert "hosts that were away: 127.0.0.1 " in shown
    assert f"asked again at the end of the run: {work['asked_again']}" in shown
