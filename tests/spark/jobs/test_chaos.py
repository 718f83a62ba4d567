"""Chaos in short: what runs leave is told right, faults strike as they say, and nothing of a run is lost."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.chaos import __main__ as chaos
from benchmarks.chaos import disks, kills, signals
from benchmarks.chaos.comparing import compare
from benchmarks.chaos.place import Place, draw, prepare
from benchmarks.chaos.told import Told
from tests.support.loopback import Loopback
from tests.support.paths import ROOT

pytestmark = pytest.mark.spark


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Loopback]:
    """Forty pictures."""
    draw(tmp_path / "pictures", 40)
    with Loopback(tmp_path / "pictures") as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, served: Loopback) -> Place:
    """Where runs take place."""
    return prepare(tmp_path, served, 40, 20.0)


@pytest.mark.slow
def test_a_run_that_is_killed_and_run_again_equals_an_undisturbed_one(place: Place, served: Loopback) -> None:
    result = kills.told(place, "fetching", 1, 3, served)
    assert (result.blows, result.faults, result.details) == (1, 0, [])


@pytest.mark.slow
def test_an_output_that_is_deleted_midway_is_made_again(place: Place) -> None:
    result = disks.deleted(place)
    assert (result.blows, result.faults, result.details) == (1, 0, [])


def test_a_run_that_is_told_to_stop_ends_in_one_line_and_leaves_nothing(place: Place, served: Loopback) -> None:
    signals.prepare(place, served)
    command = place.tag("slow-struck", "one", urls=signals.SLOW)
    seen = signals.interrupt(place, command, signal.SIGTERM, random.Random(1).uniform(4, 6))
    assert seen.faults() == []
    assert seen.exit_code == 143
    assert "go" in seen.lines[0]


def write_tables(output: Path, contents: list[str]) -> None:
    """The tables of an output that has two images. contents: those of the scores."""
    tables = {
        "images": {
            "eolMediaURL": ["a", "b", "b"],
            "dataObjectVersionID": ["1", "1", "1"],
            "outcome": ["ok", "timeout", "ok"],
            "content_sha256": ["x", None, "y"],
        },
        "scores": {"content_sha256": contents, "model_version": ["m", "m"], "scores": [[1.0], [2.0]]},
        "tags": {
            "task": ["t"],
            "bundle": ["b"],
            "bundle_row": [1],
            "eolMediaURL": ["a"],
            "outcome": ["ok"],
            "tag": ["a"],
            "rule": ["r"],
            "label": ["a"],
            "confidence": [0.5],
        },
    }
    for name, columns in tables.items():
        (output / name).mkdir(parents=True)
        pq.write_table(pa.table(columns), output / name / "part-0.parquet")


def test_rows_that_are_lost_doubled_or_another_are_told_and_failures_that_passed_are_not(place: Place) -> None:
    for name, contents in {"right": ["x", "y"], "same": ["x", "y"], "other": ["x", "x"]}.items():
        write_tables(place.output(name), contents)
    same, other = Told("same"), Told("other")
    compare(place, "right", "same", same)
    assert (same.faults, same.details) == (0, [])
    compare(place, "right", "other", other)
    assert (other.lost, other.doubled, other.different) == (1, 0, 1)
    (place.output("same") / "x.tmp").touch()
    compare(place, "right", "same", same)
    assert (same.leftovers, same.faults) == (1, 1)


def test_what_a_signal_should_not_leave_is_told() -> None:
    good = signals.Seen(signal.SIGINT, 1.0, 0.5, 130, ["interrupted: ..."], [], [])
    assert (good.faults(), signals.Seen(signal.SIGINT, 9.0, 0.0, 0, [], [], []).faults()) == ([], [])
    wrong = signals.Seen(signal.SIGTERM, 1.0, 9.0, 130, ["a", "b"], ["java"], ["tmp/x"], is_twice=True)
    assert wrong.faults() == [
        "exit code 130",
        "2 lines: a | b",
        "ended 9.0 s after the second signal",
        "orphan: java",
    ]


def test_a_kind_that_breaks_is_a_fault_and_the_others_go_on(
    place: Place, served: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> Iterator[Told]:
        yield from [Told("away"), Told("a bug", blows=1 // 0)]

    monkeypatch.setitem(chaos.KINDS, "away", broken)
    monkeypatch.setitem(chaos.KINDS, "storm", lambda _: iter([Told("storm", blows=1)]))
    world = chaos.World(place, served, chaos.USUAL, 20.0, 1)
    first, second = chaos.run(world, ["away", "storm"])
    assert [told.skipped[:11] for told in chaos.run(world, ["away", "storm"], until=0.0)] == ["out of time"] * 2
    assert (first.faults, second.faults, second.blows) == (1, 0, 1)
    assert "ZeroDivisionError" in first.details[0]


def test_a_server_is_away_and_refuses_for_as_long_as_it_is_told(served: Loopback) -> None:
    def status() -> int:
        connection = HTTPConnection("127.0.0.1", served.port)
        try:
            connection.request("GET", "/files/0.png")
            return connection.getresponse().status
        except RemoteDisconnected:
            return 0
        finally:
            connection.close()

    assert status() == 200
    served.storm = (len(served.requests), 60.0, 0.7)
    drawn = [status() for _ in range(100)]
    assert 55 <= drawn.count(429) <= 85
    assert drawn.count(200) == 100 - drawn.count(429)
    served.storm, served.outage = None, (len(served.requests), 60.0)
    assert (status(), served.is_struck) == (0, True)
    served.outage = None
    assert status() == 200


DYING = """
import sys
from pathlib import Path
from benchmarks.chaos.dying import die_before
out = Path(sys.argv[1])
die_before(3, str(out))
(out.parent / "elsewhere").mkdir()
out.mkdir()
(out / "a.tmp").write_text("a")
print("still there", flush=True)
(out / "a.tmp").replace(out / "a")
"""


def test_a_run_dies_just_before_the_change_of_its_output_that_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DYING, str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "still there\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.tmp"]
