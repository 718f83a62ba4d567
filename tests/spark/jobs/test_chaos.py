"""Kills and signals in short: what they leave is told right, and nothing of a run is lost."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos import kills, signals
from tests.support.loopback import Loopback

pytestmark = pytest.mark.spark


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Loopback]:
    """Thirty pictures."""
    kills.draw(tmp_path / "pictures", 30)
    with Loopback(tmp_path / "pictures") as running:
        yield running


@pytest.mark.slow
def test_a_run_that_is_killed_and_run_again_equals_an_undisturbed_one(tmp_path: Path, served: Loopback) -> None:
    place = kills.prepare(tmp_path, served, 30, 20.0)
    kills.undisturbed(place, "fetching")
    result = kills.told(place, "fetching", 1, 3, served)
    assert (result.kills, result.faults, result.details) == (1, 0, [])


def test_a_row_that_is_lost_doubled_or_another_is_told(tmp_path: Path, served: Loopback) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = kills.prepare(tmp_path, served, 30, 20.0)
    tables = {
        "images": {"eolMediaURL": ["a", "b"], "dataObjectVersionID": ["1", "1"], "outcome": ["ok", "ok"],
                   "content_sha256": ["x", "y"]},
        "scores": {"content_sha256": ["x", "y"], "model_version": ["m", "m"], "scores": [[1.0], [2.0]]},
        "tags": {"task": ["t"], "bundle": ["b"], "bundle_row": [1], "eolMediaURL": ["a"], "outcome": ["ok"],
                 "tag": ["a"], "rule": ["r"], "label": ["a"], "confidence": [0.5]},
    }  # fmt: skip
    for name, columns in tables.items():
        for output in ("fetching", "fetching-killed"):
            folder = place.output(output) / name
            folder.mkdir(parents=True)
            damaged = columns
            if name == "scores" and output.endswith("killed"):
                damaged = {column: [values[0], values[0]] for column, values in columns.items()}
            pq.write_table(pa.table(damaged), folder / "part-0.parquet")
    result = kills.Told("fetching")
    kills._compare(place, "fetching", result)
    assert (result.lost, result.doubled, result.different, result.leftovers) == (1, 1, 0, 0)
    assert result.faults == 2


def test_a_run_that_is_told_to_stop_ends_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    signals.draw(tmp_path / "pictures")
    with Loopback(tmp_path / "pictures") as server:
        seen = signals.interrupt(signals.prepare(tmp_path, server), signal.SIGTERM, random.Random(1).uniform(4, 6))
    assert seen.faults() == []
    assert seen.exit_code == 143
    assert "go" in seen.lines[0]
