"""What docs/how-to/query-the-tables.md shows of DuckDB, pandas and Polars gives the right answers."""

import re
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from tests.support.readme import blocks, page
from tests.support.readme_demo import ANSWERS, LABELS, MEDIA, TAGGED, VERSION, A, B, D, write_demo

PAGE: Final = page("how-to/query-the-tables.md")


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory in which `make demo` seems to have run."""
    write_demo(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snippet(line: str) -> str:
    """The Python on the page that has this line."""
    (found,) = [block for block in blocks("python", PAGE) if f"{line}\n" in block]
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
        found = duckdb.execute(question).fetchall()
        assert [plain(row[: len(answer[0])]) for row in found] == answer


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Floats of 32 bits as they are written."""
    return tuple(round(value, 3) if isinstance(value, float) else value for value in row)


def test_the_pandas_snippet_answers_the_same(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.is_dir()
    names: dict[str, Any] = {}
    exec(snippet("import pandas as pd"), names)
    assert re.search(r"demo +map +2 +0\.85", capsys.readouterr().out)
    assert list(names["read"].nsmallest(20, "confidence")["tag"]) == ["unsure", "map", "map"]
    numbers = names["numbers"]
    assert dict(zip(numbers["eolMediaURL"], numbers["model_version"], strict=True)) == dict.fromkeys(TAGGED, VERSION)
    best = {url: LABELS[scores.argmax()] for url, scores in zip(numbers["eolMediaURL"], numbers["scores"], strict=True)}
    assert best == {A: "map", B: "photo", D: "map"}


def test_the_polars_snippet_answers_the_same(demo: Path) -> None:
    assert demo.is_dir()
    names: dict[str, Any] = {}
    exec(snippet("import polars as pl"), names)
    assert names["tags"].shape == (len(MEDIA), names["demo"].width + ("task" not in names["demo"].columns))
    assert sorted(names["read"].select("task", "tag").rows()) == [("demo", "map"), ("demo", "map"), ("demo", "unsure")]
    numbers = names["numbers"].select("eolMediaURL", "model_version").rows()
    assert sorted(numbers) == sorted((url, VERSION) for url in TAGGED)
