"""The fuzzer of pictures, in short: no mutation and no bomb ends or holds up whoever decodes it."""

import subprocess
import sys

import pytest

from benchmarks import fuzz
from benchmarks.fuzz import FORMATS, Seen, mutated, seeds, try_one


def test_three_hundred_mutations_and_the_bombs_give_pictures_or_outcomes_in_a_process_with_a_gigabyte() -> None:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--mutations", "300"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows[:-1]] == [(name, "50") for name in FORMATS]
    assert all("FAULT" not in row for row in rows)


def test_a_seed_gives_the_same_mutation_and_another_seed_another() -> None:
    (png, *_) = seeds()["PNG"]
    assert mutated(png, 5) == mutated(png, 5) != mutated(png, 6)
    assert mutated(png, 5) != png


def test_what_is_no_outcome_is_a_fault_that_names_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(fuzz, "decode", broken)
    seen = Seen()
    try_one(b"", "PNG seed 7", seen)
    assert seen.faults == ["PNG seed 7: ZeroDivisionError('a bug')"]
