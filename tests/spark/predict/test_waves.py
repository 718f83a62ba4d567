"""Waves: how large they are; one whose workers die is asked for carefully, then by halves, until little is left."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from eoltag.spark.predict import waves, work
from eoltag.spark.predict.commits import Committed
from eoltag.spark.predict.plan import Bucket
from eoltag.spark.predict.tagging import Round

BUCKETS = [Bucket(number, 10, 10, 10) for number in range(8)]
LOST = "Python worker exited unexpectedly (crashed)"


class Done:
    """Stands where Progress does: a wave that holds a deadly bucket beside others fails."""

    def __init__(self, deadly: int, words: str = LOST, least: int = 2) -> None:
        self.deadly, self.words, self.least = deadly, words, least
        self.waves: list[list[int]] = []
        self.tried = 0

    def add(self, _run: object, wave: Sequence[Bucket], images: int) -> None:
        """Note the numbers of the buckets."""
        self.tried += 1
        numbers = [bucket.number for bucket in wave]
        assert images == 10 * len(wave)
        if self.deadly in numbers and len(numbers) >= self.least:
            raise PySparkRuntimeError(self.words)
        self.waves.append(numbers)


def ask(session: SparkSession, monkeypatch: pytest.MonkeyPatch, done: Done) -> None:
    """Run a wave of all buckets."""
    rounds = [Round(2, 40.0)]
    monkeypatch.setattr(waves, "asked", lambda _wave, buckets, _worker, _rounds: buckets)
    wave = session.range(8).withColumnRenamed("id", "bucket")
    waves._ask_carefully(cast("Any", None), wave, BUCKETS, cast("Any", None), rounds, cast("Any", done))


def test_a_wave_that_still_loses_its_workers_is_halved(session: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Done(deadly=5)
    ask(session, monkeypatch, done)
    assert done.waves == [[0, 1, 2, 3], [4], [5], [6, 7]]
    assert done.tried == 7


def test_what_cannot_be_done_alone_ends_the_run(session: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Done(deadly=5, least=1)
    with pytest.raises(PySparkRuntimeError, match=r"crashed"):
        ask(session, monkeypatch, done)
    assert done.waves == [[0, 1, 2, 3], [4]], "what came before stays"


def test_other_errors_are_not_tried_again(session: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Done(deadly=5, words="a bug")
    with pytest.raises(PySparkRuntimeError, match="a bug"):
        ask(session, monkeypatch, done)
    assert done.tried == 1


def test_waves_are_cut_for_the_time_of_their_tasks_however_long_commits_take(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_commit(*_: object) -> dict[str, Committed]:
        time.sleep(0.5)
        return {}

    monkeypatch.setattr(work, "commit", slow_commit)
    output = SimpleNamespace(stage=lambda _name, rows: rows)
    settings = SimpleNamespace(run=SimpleNamespace(thumbnails=0))
    run = SimpleNamespace(output=output, tasks=[], request=SimpleNamespace(settings=settings))
    progress = work.Progress()
    for _ in range(2):
        progress.add(cast("Any", run), cast("Any", None), 100)
    assert progress.speed.images == 200
    assert progress.commit_s >= 1.0
    assert progress.speed.seconds < 0.5, "waves would become smaller and smaller where commits take long"


def test_halves_have_all_buckets_and_as_many_tasks_of_half_the_size() -> None:
    assert [len(half) for half in waves.halves(BUCKETS[:3])] == [1, 2]
    assert waves.halved([Round(4, 20.0), Round(2, 5.0)]) == [Round(4, 10.0), Round(2, 2.5)]
