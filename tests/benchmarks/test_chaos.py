"""The table of `make chaos` tells each kind once, whatever time it takes."""

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from benchmarks.chaos import __main__ as chaos
from benchmarks.chaos.told import Told


def test_a_kind_that_has_begun_is_told_to_its_end_and_the_next_one_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]

    def long(_world: chaos.World) -> Iterator[Told]:
        now[0] = 100.0
        yield Told("first half")
        yield Told("second half")

    monkeypatch.setattr(chaos, "KINDS", {"long": long, "later": long})
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    world = chaos.World(cast("Any", None), cast("Any", None), chaos.USUAL, 150.0, 1)
    found = list(chaos.run(world, ["long", "later"], until=50.0))
    assert [(told.kind, bool(told.skipped)) for told in found] == [
        ("first half", False),
        ("second half", False),
        ("later", True),
    ]
