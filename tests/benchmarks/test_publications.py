"""What the readers beside publications take for right, for a mixture, and for an error."""

import json
from pathlib import Path

import pytest

from benchmarks.chaos.publications import Read, _look, told_as_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A publication with three rows tagged `bad`."""
    place = tmp_path / "out/published/V1"
    place.mkdir(parents=True)
    (place.parent / "current.json").write_text(json.dumps({"version": "V1"}))
    (place / "manifest.json").write_text(json.dumps({"tasks": {"rating": {"tags": {"bad": 3}}}}))
    return tmp_path


@pytest.mark.parametrize("place", ["published", "tags"])
def test_an_answer_that_no_decision_gives_is_a_mixture(folder: Path, place: str) -> None:
    told = Read()
    for found in (3, 2, 3):
        _look(folder, place, lambda _, found=found: found, {3, 4}, told)  # type: ignore[misc]
    assert (told.right, told.mixtures, told.errors) == (2, 1, 0)
    assert "2 rows" in told.examples[0]


def test_a_file_that_is_gone_is_an_error_and_said_so(folder: Path) -> None:
    def missing(path: str) -> int:
        raise FileNotFoundError(path)

    told = Read()
    _look(folder, "tags", missing, {3}, told)
    assert (told.right, told.mixtures, told.errors) == (0, 0, 1)
    seen = {"duckdb": {"tags": {"right": 0, "mixtures": 0, "errors": 1, "examples": told.examples}}}
    assert "duckdb   tags                   0         0       1" in told_as_table(seen)
