"""What a person sees while a job works: lines with seconds, an honest bar, and who is waited for."""

import logging
import re
import time
from collections.abc import Iterator

import pytest

from eoltag.spark.runtime import executors, progress
from eoltag.spark.runtime.command import Parser
from eoltag.spark.runtime.executors import PATIENCE_S, asked_for, complain_until
from eoltag.spark.runtime.stages import ROOT, hide_stages, show_stages


@pytest.fixture
def lines() -> Iterator[None]:
    """Stages are shown, as in a job of its own."""
    before = (ROOT.level, ROOT.propagate, list(ROOT.handlers))
    show_stages()
    yield
    ROOT.setLevel(before[0])
    ROOT.propagate = before[1]
    ROOT.handlers[:] = before[2]


@pytest.mark.usefixtures("lines")
def test_a_stage_is_one_line_with_the_seconds_since_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    show_stages()  # a second time, which doubles nothing
    logging.getLogger("eoltag.somewhere").info("deciding task %s", "kind")
    assert re.fullmatch(r"\[ *\d+\.\d s\] deciding task kind\n", capsys.readouterr().err)


@pytest.mark.usefixtures("lines")
def test_quiet_shows_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    Parser("x", "", "").parse_args(["--quiet"])
    logging.getLogger("eoltag.somewhere").info("deciding")
    logging.getLogger("eoltag.somewhere").warning("nobody comes")
    assert capsys.readouterr().err.endswith("nobody comes\n")
    hide_stages()


def test_in_a_program_of_somebody_else_stages_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("eoltag.somewhere").info("deciding")
    assert capsys.readouterr().err == ""


def test_the_bar_shows_the_rate_of_all_images_and_says_when_only_the_commit_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_POLL_S", 60.0)
    with progress.progress_bar(4_000, lambda: (3_990, 10), is_quiet=False):
        pass
    shown = capsys.readouterr().err
    last = shown.rstrip().split("\r")[-1].strip()
    assert last.startswith("committing: 4000/4000 [")
    assert last.endswith("ok 3990, failed 10]")
    assert "img/s" not in last


def test_a_cluster_without_executors_is_told_after_thirty_seconds_and_again_until_one_comes() -> None:
    waited: list[float] = []
    said: list[float] = []
    complain_until(lambda: sum(waited) > 2.5 * PATIENCE_S, lambda: said.append(sum(waited)), waited.append)
    assert said == [PATIENCE_S, 2 * PATIENCE_S]


def test_a_session_that_has_ended_is_not_waited_for() -> None:
    def gone() -> bool:
        raise ConnectionError

    said: list[bool] = []
    complain_until(gone, lambda: said.append(True), lambda _: None)
    assert said == []


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({}, "executors with the cores of a worker and 1g each"),
        (
            {"spark.executor.instances": "4", "spark.executor.cores": "2", "spark.executor.memory": "3g"},
            "4 executors with 2 cores and 3g each",
        ),
        (
            {"spark.dynamicAllocation.enabled": "true", "spark.dynamicAllocation.maxExecutors": "9"},
            "up to 9 executors with the cores of a worker and 1g each",
        ),
    ],
)
def test_what_was_asked_for_is_said_in_words(conf: dict[str, str], said: str) -> None:
    class Configured:
        def get(self, key: str, default: str, /) -> str | None:
            return conf.get(key, default)

    assert asked_for(Configured()) == said


@pytest.mark.parametrize(("total", "is_quiet"), [(0, False), (5, True)])
def test_a_bar_with_nothing_to_show_says_nothing(
    total: int, is_quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.progress_bar(total, lambda: (total, 0), is_quiet=is_quiet):
        pass
    assert capsys.readouterr().err == ""


def test_a_cluster_that_does_not_let_spark_start_is_told_of_until_it_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("eoltag"), "propagate", True)  # a job that ran here before has ended that
    monkeypatch.setattr(executors, "PATIENCE_S", 0.02)
    monkeypatch.setattr(executors, "_POLL_S", 0.01)
    with executors.patiently():
        until = time.monotonic() + 60  # far more than it takes
        while len(caplog.messages) < 2 and time.monotonic() < until:
            time.sleep(0.01)
    assert caplog.messages[0].startswith("Spark has not started yet, ")
    assert caplog.messages[0].endswith("Ctrl-C ends the job")
