"""What Spark tasks of one worker hand over: each only what the ones before it have not bettered."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from eoltag.report.thumbnails import TaskShelf, Thumbnail, merged
from eoltag.spark.tables import thumbnails
from eoltag.spark.tables.thumbnails import Kept, ThumbnailKeeper

PLAN = {"kind": TaskShelf("main", "v", limit=100, depth=3)}


class Found:
    """An accumulator, as the driver and a worker see it."""

    def __init__(self) -> None:
        self.value: Kept = ()
        self.added: list[Kept] = []

    def add(self, kept: Kept) -> None:
        """One task's thumbnails."""
        self.added.append(kept)
        self.value = merged(PLAN, self.value, kept).kept()


def image(number: int) -> Thumbnail:
    """The higher the number, the surer the model."""
    return Thumbnail("kind", f"https://eol.org/{number}.jpg", "v", "map", number / 1000, number / 10, b"jpeg")


def work(keeper: ThumbnailKeeper, numbers: range) -> None:
    """A Spark task over these images."""
    shelf = keeper.new_shelf()
    for number in numbers:
        shelf.offer(image(number))
    keeper.hand_over(shelf)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[Found]:
    """In a fresh worker."""
    monkeypatch.setattr(thumbnails, "_handed_over", {})
    return Found()


@pytest.fixture
def keeper(found: Found) -> ThumbnailKeeper:
    """For a wave of one task, so that its shelf is as deep as the run's."""
    return ThumbnailKeeper(PLAN, cast(Any, found)).for_wave(1)


def test_later_tasks_of_a_worker_hand_over_only_what_is_better(keeper: ThumbnailKeeper, found: Found) -> None:
    parts = [range(0, 400), range(400, 401), range(100, 300), range(401, 600)]
    for part in parts:
        work(keeper, part)
    assert found.value == merged(PLAN, [image(number) for part in parts for number in part]).kept()
    assert len(found.added[1]) == 1
    so_far = merged(PLAN, [image(number) for part in parts[:3] for number in part]).kept()
    assert set(found.added[2]) <= set(so_far)


def test_a_task_that_is_tried_again_offers_everything(
    keeper: ThumbnailKeeper, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(keeper, range(50))
    monkeypatch.setattr(thumbnails.TaskContext, "get", lambda: SimpleNamespace(attemptNumber=lambda: 1))
    work(keeper, range(50))
    assert found.added[0] == found.added[1]


def test_each_wave_begins_with_the_floors_of_the_run_alone(keeper: ThumbnailKeeper, found: Found) -> None:
    work(keeper, range(50))
    found.value = ()  # as if the wave had been lost
    work(keeper.for_wave(1), range(50))
    assert found.added[0] == found.added[1]
