"""Thumbnails that Spark tasks hand over as rows: merged to the best of all waves and runs, within the limit."""

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Task
from eoltag.records import Cut
from eoltag.report.thumbnails import Picture
from eoltag.report.top_k import Thumbnail, ThumbnailPlan, sample_order
from eoltag.spark.tables import thumbnails
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import WORKER_OUTPUT
from eoltag.spark.tables.thumbnails import (
    best_thumbnails,
    read_thumbnails,
    replace_thumbnails,
    share_thumbnails,
    trim_thumbnails,
    worker_rows,
)

pytestmark = pytest.mark.spark

CUT = Cut("sure", "main", "logit", 5.25, ("map",))
TASKS, LATER = (
    [cast(Task, SimpleNamespace(name=name)) for name in names] for names in (("kind", "other"), ("third", "fourth"))
)
MODELS = {"kind": "v2", "other": "v9", "third": "v2", "fourth": "v8"}


class Table:
    """The thumbnails of an output directory, to which waves are added."""

    def __init__(self, session: SparkSession, folder: Path, limit: int) -> None:
        self._session = session
        self._output = Output(session, str(folder), "run")
        self._limit = limit

    def add(self, images: Iterable[Thumbnail]) -> None:
        """A wave of several Spark tasks that have kept these."""
        found = self._session.createDataFrame(worker_rows(images), WORKER_OUTPUT)
        best = best_thumbnails(self._output, TASKS, self._limit, found.repartition(3))
        replace_thumbnails(self._output, TASKS, best)

    def trim(self, limit: int) -> bool:
        """Go on with another limit; whether there were more."""
        self._limit = limit
        return trim_thumbnails(self._output, TASKS, limit)

    def share(self) -> None:
        """Two tasks come later, one with the model of the first."""
        share_thumbnails(self._output, [*TASKS, *LATER], self._limit)

    def urls(self, task: str = "kind") -> set[str]:
        """Addresses of a task's thumbnails."""
        found = [one.url for one in read_thumbnails(self._output, task)]
        assert found == sorted(set(found))
        return set(found)

    def jpegs(self) -> dict[str, bytes]:
        """URL -> JPEG."""
        return {one.url: one.picture.encode() for one in read_thumbnails(self._output, "kind")}


@pytest.fixture
def table(session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """For two tasks with a model each, six thumbnails each."""

    def plans_of(tasks: list[Any], limit: int) -> dict[str, ThumbnailPlan]:
        return {task.name: ThumbnailPlan("main", MODELS[task.name], limit, 3, (CUT,)) for task in tasks}

    monkeypatch.setattr(thumbnails, "plans_of", plans_of)
    return Table(session, tmp_path, limit=6)


def url(number: int) -> str:
    """The address of an image."""
    return f"https://eol.org/{number:02d}.jpg"


def image(number: int, *, task: str = "kind", version: str = "v2", jpeg: bytes = b"jpeg") -> Thumbnail:
    """An image of which the model is the surer the higher its number."""
    return Thumbnail(task, url(number), version, "map", number / 128, number / 2, Picture.of_jpeg(jpeg))


def test_waves_merge_to_the_best_of_all_and_a_wave_that_comes_twice_changes_nothing(table: Table) -> None:
    drawn = sorted(range(60), key=lambda number: sample_order(url(number)))[:2]
    for wave in (range(5, 15), range(30), range(30, 60), range(30, 60)):
        table.add([image(number) for number in wave])
    assert table.urls() == {url(number) for number in (0, 59, 10, 11, *drawn)}
    assert table.urls("other") == set()
    table.add([image(number, task="other", version="v9") for number in range(3)])
    assert table.urls("other") == {url(0), url(1), url(2)}
    assert len(table.urls()) == 6


def test_a_task_that_comes_later_gets_the_thumbnails_that_others_have_of_its_model(table: Table) -> None:
    table.share()
    assert table.urls("third") == set(), "there is nothing to share yet"
    table.add([image(number) for number in range(5)])
    table.add([image(number, task="other", version="v9") for number in range(5, 10)])
    table.share()
    assert table.urls("third") == table.urls("kind") == {url(number) for number in range(5)}
    assert table.urls("fourth") == set()
    table.add([image(number) for number in range(20, 40)])
    table.share()
    assert table.urls("third") == {url(number) for number in range(5)} != table.urls("kind"), "it has its own now"


def test_of_an_image_that_is_seen_again_the_later_thumbnail_stays(table: Table) -> None:
    table.add([image(7, jpeg=b"old"), image(8, jpeg=b"old")])
    table.add([image(7, jpeg=b"new")])
    assert table.jpegs() == {url(7): b"new", url(8): b"old"}


def test_images_that_only_an_older_model_saw_give_way(table: Table) -> None:
    table.add([image(number, version="v1") for number in range(50, 60)])
    table.add([image(number) for number in (20, 21, 22, 40, 41, 42)])
    assert table.urls() == {url(number) for number in (20, 21, 22, 40, 41, 42)}


def test_a_lower_limit_drops_the_others_and_none_drops_the_table(table: Table, tmp_path: Path) -> None:
    table.add([image(number) for number in range(30)])
    before = table.urls()
    assert not table.trim(6)
    assert table.trim(4)
    assert table.urls() < before
    assert len(table.urls()) == 4
    assert table.trim(0)
    assert not list((tmp_path / "thumbnails").iterdir())
