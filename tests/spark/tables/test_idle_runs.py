"""Runs that did nothing are not what a comparison means by the last two."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from eoltag.decide.task import Task
from eoltag.spark.jobs import diff
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.runs import NOTHING_TO_DO

FIRST, SECOND, IDLE = (f"2026010{day}T000000.000Z-0a" for day in (1, 2, 3))


@dataclass
class Records:
    """The files below runs/."""

    notes: dict[str, list[str]] = field(default_factory=dict)

    def names(self, _: str) -> list[str]:
        """The names of the files."""
        return [f"{run}.json" for run in self.notes]

    def read_text(self, path: str) -> str:
        """The record of a run."""
        run = path.rpartition("/")[2].removesuffix(".json")
        return json.dumps({"status": "done", "tasks": {"kind": {}}, "summary": {"notes": self.notes[run]}})


def test_the_last_two_runs_that_did_something_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Records({FIRST: [], SECOND: ["a note"], IDLE: [NOTHING_TO_DO]})
    output = SimpleNamespace(root="out", files=files, path=lambda *parts: "/".join(parts))
    compared: list[str] = []
    monkeypatch.setattr(diff, "_side", lambda _output, _task, name: compared.append(name))
    diff.sides(cast(Output, output), cast(Task, cast(Any, SimpleNamespace(name="kind"))), None, None)
    assert compared == [FIRST, SECOND]
