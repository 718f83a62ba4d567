"""What docs/reference/errors.md quotes is what mistakes are answered with."""

from pathlib import Path

import pytest

from eoltag.errors import ExitCode
from tests.support.loopback import Loopback
from tests.support.readme import matches, page, said, section, tables
from tests.support.readme_mistakes import MISTAKES, SPARK_MISTAKES, lay_desk, run, write


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a sound bundle, task, package and settings, for mistakes to spoil."""
    monkeypatch.chdir(tmp_path)
    lay_desk(tmp_path)
    return tmp_path


@pytest.mark.parametrize("situation", MISTAKES)
def test_the_page_quotes_what_a_mistake_is_answered_with(
    situation: str, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files, command = MISTAKES[situation]
    write(desk, files)
    with Loopback() as server:
        assert run(command.replace("BASE", server.base), monkeypatch) == ExitCode.UNUSABLE
        line = capsys.readouterr().err.splitlines()[-1].replace(server.base, "https://museum.example")
    assert matches(line, said(situation)), line
    assert not (desk / "out").exists()


def test_every_mistake_on_the_page_is_made_by_a_test() -> None:
    (rows,) = tables(section("What is refused", page("reference/errors.md")))
    assert [row[0] for row in rows] == [*MISTAKES, *SPARK_MISTAKES]
