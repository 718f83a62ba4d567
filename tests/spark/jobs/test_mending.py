"""A run that ended between its work and what people see of it: the next run makes what is missing, and asks nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from eoltag.settings import FetchSettings, Settings
from eoltag.spark.jobs import tag
from eoltag.spark.requests import TagRequest
from eoltag.spark.tables import lock
from eoltag.spark.tables.runs import NOTHING_TO_DO
from tests.support.loopback import Loopback
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package

TASK = 'name = "kind"\nmodels.main.package = "model"\n[[rules]]\nname = "any"\nwhen = "true"\ntag_sql = "label"\n'


class Killed(BaseException):
    """Stands for SIGKILL: nothing on its way catches it."""


@pytest.fixture
def run(
    session: SparkSession, server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[], dict[str, Any]]:
    """Tags three pictures; returns the summary."""
    assert session is not None
    server.root = tmp_path
    for number in range(3):
        save(tmp_path / f"{number}.jpg", number, (40, 30))
    write_tiny_package(tmp_path / "model", ("a", "b"), seed=1)
    (tmp_path / "kind.toml").write_text(TASK)
    (tmp_path / "list.txt").write_text("".join(f"{server.url(f'{number}.jpg')}\n" for number in range(3)))
    request = TagRequest(
        bundles=[str(tmp_path / "list.txt")],
        tasks=[str(tmp_path / "kind.toml")],
        output=str(tmp_path / "out"),
        settings=Settings(fetch=FetchSettings(allow_private_hosts=True)),
        root=tmp_path,
        is_quiet=True,
        as_json=True,
    )

    def job() -> dict[str, Any]:
        assert tag.tag_bundles(request) == 0
        summary: dict[str, Any] = json.loads(capsys.readouterr().out)
        return summary

    return job


@pytest.mark.parametrize("place", ["refresh_views", "write_report"])
def test_a_run_that_was_killed_between_its_work_and_the_page_is_mended_by_the_next(
    place: str,
    run: Callable[[], dict[str, Any]],
    server: Loopback,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(tag, place, killed)
        patched.setattr(lock, "end", lambda _: None)  # its lock stays, as a killed run leaves it
        with pytest.raises(Killed):
            run()
    page, views = tmp_path / "out/report/index.html", tmp_path / "out/views.duckdb.sql"
    asked = len(server.requests)
    assert (page.exists(), (tmp_path / "out/tsv/kind/list_finaltags.tsv").exists()) == (False, True)
    summary = run()
    assert summary["notes"][0] == NOTHING_TO_DO
    assert len(server.requests) == asked
    assert views.exists()
    assert page.read_text().rstrip().endswith("</html>")
    told = {json.loads(path.read_text())["run_id"] for path in (tmp_path / "out/runs").iterdir()}
    assert len(told) == 2
    changed_at = page.stat().st_mtime_ns
    run()
    assert page.stat().st_mtime_ns == changed_at, "made once"
