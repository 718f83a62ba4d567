"""What docs/how-to/query-the-tables.md shows of DuckDB and pandas gives the right answers."""

import re
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from tests.support.readme import blocks, page
from tests.support.readme_demo import ANSWERS, write_demo

PAGE: Final = page("how-to/query-the-tables.md")


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory in which `make demo` seems to have run."""
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snippet(library: str) -> str:
    """The Python on the page that imports a library."""
    (found,) = [block for block in blocks("python", PAGE) if library in block]
    return found


def test_the_duckdb_snippet_and_its_questions_give_the_right_answers(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.is_dir()
    exec(snippet("import duckdb"), {})
    assert "unsure" in capsys.readouterr().out
    questions = blocks("sql", PAGE)
    assert len(questions) == len(ANSWERS)
    for question, answer in zip(questions, ANSWERS, strict=True):
        rows = [row[: len(answer[0])] for row in duckdb.execute(question).fetchall()]
        found = sorted(rows, key=lambda row: str(row[4])) if "OVER" in question else rows
        assert found == answer


def test_the_pandas_snippet_answers_the_same(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.is_dir()
    names: dict[str, Any] = {}
    exec(snippet("import pandas"), names)
    shown = capsys.readouterr().out
    assert re.search(r"demo +map +2 +0\.85", shown)
    assert re.search(r"gone +images\.example +1", shown)
    assert list(names["read"].nsmallest(20, "confidence")["tag"]) == ["unsure", "map", "map"]
    latest = names["predictions"].sort_values(["fetched_at", "run_id"]).drop_duplicates(names["image"], keep="last")
    assert sorted(latest["outcome"]) == ["bad_url", "gone", "ok", "ok", "ok"]
