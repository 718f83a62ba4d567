"""What goes to stderr: a line for people, or an object for machines."""

import json
from collections.abc import Iterator

import pytest

from eoltag.local import log


@pytest.fixture(autouse=True)
def _text() -> Iterator[None]:
    """Other tests read lines."""
    yield
    log.use("text")


def test_people_read_errors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    log.event("progress", ok=3)
    log.error("no such\n   file", exit_code=2)
    assert capsys.readouterr().err == "error: no such file\n"
    assert log.line_of("interrupted", "go on") == "interrupted: go on"


@pytest.mark.parametrize("words", [["--log-format", "json"], ["--output", "x", "--log-format=json", "--nonsense"]])
def test_machines_read_an_object_in_each_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    log.use_as_given(words)
    log.event("progress", ok=3)
    log.error("no such\n   file", exit_code=2)
    progress, error = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert progress.pop("at") <= error.pop("at")
    assert progress == {"event": "progress", "ok": 3}
    assert error == {"event": "error", "message": "no such file", "exit_code": 2}
    assert json.loads(log.line_of("interrupted", "go on"))["message"] == "go on"


def test_another_word_leaves_it_at_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.use_as_given(["--log-format", "text", "json"])
    log.error("no")
    assert capsys.readouterr().err == "error: no\n"
