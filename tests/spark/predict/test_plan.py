"""Where the answer to each bundle row comes from: the cheapest rung of the ladder; and how a wave is cut."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from eoltag.settings import FetchSettings, RunSettings
from eoltag.spark.predict.ladder import (
    Rung,
    Wanted,
    WantedModel,
    images_of,
    rows_by_rung,
    to_ask,
    to_reuse,
    with_rungs,
)
from eoltag.spark.predict.plan import Bucket
from eoltag.spark.predict.tagging import Round, place_of, task_of
from eoltag.spark.predict.waves import first_speed, next_wave, rounds_for, wave_size
from eoltag.spark.predict.work import Speed
from eoltag.spark.tables.facts import FEATURES, PIXELS, append_facts
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.output import Output
from tests.support.tables import NOON, VERSION, append, bundle_rows, content_of, facts

A, B = "https://eol.org/a.jpg", "https://eol.org/b.jpg"


SECOND = "bbbbbbbbbbbb"
MAIN = WantedModel(VERSION, side_px=32)
SAME = {"content_sha256": "c0" * 32}


@pytest.fixture
def output(session: SparkSession, tmp_path: Path) -> Iterator[Output]:
    """An empty directory, locked."""
    opened = Output(session, str(tmp_path / "out"), "run1")
    begin(opened)
    yield opened
    end(opened)


class Ladder:
    """What a run finds for rows of a bundle, where some facts are known."""

    def __init__(self, output: Output, rows: list[dict[str, Any]], known: list[dict[str, Any]], **wanted: Any) -> None:
        if known:
            append(output, facts(output.session, known))
        self.wanted = Wanted(**{"models": (MAIN,), **wanted})
        images = with_rungs(images_of(bundle_rows(output.session, rows)), output, self.wanted)
        self.images = images
        self.asks = {row["eolMediaURL"]: row for row in to_ask(images).collect()}
        self.reuses = {row["content_sha256"]: row for row in to_reuse(images).collect()}

    @property
    def rungs(self) -> dict[tuple[str | None, str | None], str]:
        """(URL, version) -> rung."""
        return {(row["eolMediaURL"], row["dataObjectVersionID"]): row["rung"] for row in self.images.collect()}

    @property
    def by_url(self) -> dict[str | None, str]:
        """URL -> rung, where no URL has two versions."""
        return {url: rung for (url, _), rung in self.rungs.items()}


def copies(output: Output, sides: dict[str, tuple[int, int]]) -> None:
    """Stored copies: URL -> (shorter side, that of the image)."""
    rows = [[content_of(url), side, b"jpeg", source, source + 50, "r1", NOON] for url, (side, source) in sides.items()]
    append_facts(output, PIXELS, output.session.createDataFrame(rows, PIXELS.schema), len(rows))


def vectors(output: Output, contents: list[str], base: str) -> None:
    """Stored features."""
    rows = [[content, base, b"\0\0", "fetch", "r1", NOON] for content in contents]
    append_facts(output, FEATURES, output.session.createDataFrame(rows, FEATURES.schema), len(rows))


LATER = NOON + timedelta(days=1)


def images(**cases: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each case, whose name is its URL."""
    return [{"eolMediaURL": name, **row} for name, row in cases.items()]


@pytest.mark.spark
class TestLadder:
    def test_everything_is_fetched_once_while_nothing_is_known(self, output: Output) -> None:
        rows = [
            {"eolMediaURL": A, "bundle": "two"},
            {"eolMediaURL": A, "bundle": "one", "dataObjectVersionID": "1"},
            {"eolMediaURL": A, "dataObjectVersionID": "2"},
            {"eolMediaURL": B},
            {"eolMediaURL": None, "is_usable": False},
            {"eolMediaURL": None, "is_usable": False},
            {"eolMediaURL": "nonsense", "is_usable": False},
        ]
        found = Ladder(output, rows, [])
        assert set(found.rungs.values()) == {"fetch"}
        assert {url: (sorted(row["versions"]), row["rows"]) for url, row in found.asks.items()} == {
            A: (["1", "2"], 3), B: ([""], 1), None: ([""], 2), "nonsense": ([""], 1),
        }  # fmt: skip
        assert [row["lacking"] for row in found.asks.values()] == [[VERSION]] * 4
        assert rows_by_rung(found.images) == {Rung.FETCH: 4}, "usable rows"

    def test_what_is_answered_is_not_asked_again_and_what_changed_is_asked_about(self, output: Output) -> None:
        known = images(
            scored={}, gone={"outcome": "gone"}, busy={"outcome": "timeout"}, mended={"outcome": "timeout"},
            blocked={"outcome": "blocked_host"}, other_model={"model_version": SECOND},
            any_version={"dataObjectVersionID": "9"},
            changed={"dataObjectVersionID": "1"}, changed_with_etag={"dataObjectVersionID": "1", "etag": '"e"'},
            bytes_of={**SAME}, same_bytes={**SAME, "is_scored": False},
        )  # fmt: skip
        known += images(mended={"asked_at": LATER}, blocked={"outcome": "server_error", "asked_at": LATER})
        known.append({"eolMediaURL": None, "outcome": "bad_url"})
        rows = images(**{row["eolMediaURL"]: {} for row in known if row["eolMediaURL"]}, unknown={})
        for row in rows:
            row["dataObjectVersionID"] = "2" if row["eolMediaURL"].startswith("changed") else None
        found = Ladder(output, [*rows, {"eolMediaURL": None, "is_usable": False}], known)
        assert found.by_url == {
            "scored": "scores", "gone": "scores", "busy": "fetch", "mended": "scores", "blocked": "fetch",
            "other_model": "fetch", "any_version": "scores", "changed": "fetch", "changed_with_etag": "not_modified",
            "bytes_of": "scores", "same_bytes": "scores", "unknown": "fetch", None: "scores",
        }  # fmt: skip
        asked = found.asks["changed_with_etag"]
        assert (asked["versions"], asked["is_conditional"], asked["known"]["etag"]) == (["2"], True, '"e"')
        assert (asked["lacking"], found.asks["changed"]["is_conditional"]) == ([], False)
        on_request = Ladder(output, rows, [], is_failed_asked_again=True).by_url
        assert {url for url, rung in on_request.items() if rung != found.by_url[url]} == {"gone"}
        without = Ladder(output, rows, [], rungs=("scores",)).by_url
        assert {url: rung for url, rung in without.items() if rung != found.by_url[url]} == {
            "changed_with_etag": "fetch"
        }

    def test_what_is_older_than_the_refresh_age_is_asked_about_again(self, output: Output) -> None:
        since = "Thu, 01 Jan 2026 00:00:00 GMT"
        known = images(old={"last_modified": since}, new={"asked_at": LATER + timedelta(days=1)}, bare={})
        found = Ladder(output, images(old={}, new={}, bare={}), known, asked_before=LATER)
        assert found.by_url == {"old": "not_modified", "new": "scores", "bare": "fetch"}
        assert found.asks["old"]["known"]["last_modified"] == since

    def test_a_new_model_is_answered_by_kept_features_then_by_a_kept_copy_then_by_fetching(
        self, output: Output
    ) -> None:
        rows = images(both={}, small={}, large={}, whole={}, nothing={})
        append(output, facts(output.session, rows))
        vectors(output, [content_of("both")], "base1")
        copies(output, {"both": (256, 600), "small": (200, 600), "large": (256, 600), "whole": (100, 100)})
        rungs = Ladder(output, rows, [], models=(WantedModel(SECOND, "base1", 224),))
        expected = {"both": "features", "small": "fetch", "large": "pixels", "whole": "pixels", "nothing": "fetch"}
        assert rungs.by_url == expected
        assert {name: tuple(row["from_features"]) for name, row in rungs.reuses.items()} == {
            content_of("both"): (SECOND,), content_of("large"): (), content_of("whole"): (),
        }  # fmt: skip
        assert rungs.asks["nothing"]["lacking"] == [SECOND]
        two = Ladder(output, rows, [], models=(MAIN, WantedModel(SECOND, "base2", 257)))
        assert two.by_url == {
            "both": "fetch",
            "small": "fetch",
            "large": "fetch",
            "whole": "pixels",
            "nothing": "fetch",
        }
        only = Ladder(output, rows, [], models=(WantedModel(SECOND, "base1", 224),), rungs=("scores", "features"))
        assert only.by_url == {**dict.fromkeys(expected, "fetch"), "both": "features"}

    def test_a_measure_that_was_not_taken_has_the_image_fetched_and_a_lone_head_never(self, output: Output) -> None:
        append(output, facts(output.session, images(measured={"mnorm_pp": 3.0}, bare={})))
        copies(output, {"bare": (256, 600)})
        rows = images(measured={}, bare={})
        found = Ladder(output, rows, [], measures=("mnorm_pp",))
        assert (found.by_url, found.asks["bare"]["lacking"]) == ({"measured": "scores", "bare": "fetch"}, ["mnorm_pp"])
        head = Ladder(output, rows, [], models=(WantedModel(SECOND, "bioclip-2", 0, is_head_only=True),))
        assert (set(head.by_url.values()), head.asks, head.reuses) == ({"nowhere"}, {}, {})


class TestWaves:
    @given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 3000))
    def test_every_bucket_is_in_one_wave_and_none_is_smaller_than_asked_but_the_last(
        self, sizes: list[int], size: int
    ) -> None:
        left = [Bucket(2 * number, images, images, images) for number, images in enumerate(sizes)]
        taken: list[int] = []
        while left:
            wave, after = next_wave(left, size)
            assert sum(bucket.images for bucket in wave) >= size or not after
            assert sum(bucket.images for bucket in wave[:-1]) < size
            taken += [bucket.number for bucket in wave]
            left = after
        assert taken == [2 * number for number in range(len(sizes))]

    def test_the_first_wave_measures_and_the_next_fill_their_time(self) -> None:
        settings = RunSettings(first_wave_images=2000, wave_s=300)
        assert wave_size(settings, Speed()) == 2000
        assert wave_size(settings, Speed(images=2000, seconds=20)) == 30_000
        assert wave_size(settings, Speed(images=2000, seconds=1000)) == 600

    def test_rate_limits_tell_the_speed_of_the_first_wave(self) -> None:
        settings = FetchSettings(hosts={"slow.org": 2.0, "[::1]": 3.0, "127.0.0.1": 0.0}, requests_per_s=10)
        assert first_speed({"slow.org"}, settings).images_per_s == 2
        assert first_speed({"slow.org", "[::1]", "eol.org"}, settings).images_per_s == 15
        assert first_speed({"slow.org", "127.0.0.1"}, settings).images_per_s is None
        assert first_speed({f"{number}.org" for number in range(51)}, settings).images_per_s is None
        assert first_speed(set(), settings).images_per_s is None

    def test_tasks_come_in_whole_rounds_of_the_slots_the_last_one_in_falling_sizes(self) -> None:
        settings = RunSettings(first_task_images=260, task_s=20)
        thirds = [(2, pytest.approx(180)), (2, pytest.approx(60)), (2, pytest.approx(20))]
        assert rounds_for(2080, 2, settings, Speed()) == [(6, 260), *thirds]
        assert rounds_for(520, 2, settings, Speed()) == thirds
        assert rounds_for(2080, 2, settings, Speed(images=1040, seconds=10)) == [
            (2, pytest.approx(720)),
            (2, pytest.approx(240)),
            (2, pytest.approx(80)),
        ]
        assert sum(one.tasks * one.images for one in rounds_for(2081, 2, settings, Speed())) == pytest.approx(2081)
        larger = RunSettings(first_task_images=2600)
        assert [one.tasks for one in rounds_for(7800, 2, larger, Speed())] == [2, 2, 2]
        assert [one.tasks for one in rounds_for(7802, 2, larger, Speed())] == [2, 2, 2, 2]

    def test_small_waves_are_cut_evenly(self) -> None:
        settings = RunSettings(first_task_images=250)
        assert rounds_for(400, 2, settings, Speed()) == [(2, 200)]
        assert rounds_for(3, 64, settings, Speed()) == [(3, 1)]
        assert rounds_for(1, 64, settings, Speed()) == [(1, 1)]

    @pytest.mark.spark
    @pytest.mark.parametrize("buckets", [4096, 40])
    def test_tasks_get_the_images_that_their_round_says(self, session: SparkSession, buckets: int) -> None:
        urls = session.range(6000).select(F.format_string("http://x/%d", "id").alias("eolMediaURL"))
        rows = urls.withColumn("bucket", F.pmod(F.xxhash64("eolMediaURL"), F.lit(buckets)).cast("int"))
        half = rows.where(F.col("bucket") >= buckets // 2)  # a wave
        counted = half.groupBy("bucket").count().orderBy("bucket").collect()
        wave = [Bucket(number, images, images, images) for number, images in counted]
        scale = half.count() / 3000
        rounds = [Round(2, 900 * scale), Round(2, 300 * scale), Round(3, 200 * scale)]
        placed = half.select(place_of(wave).alias("place"))
        found = placed.select(task_of("place", rounds).alias("task")).groupBy("task").count().collect()
        assert {row["task"]: row["count"] for row in found} == {
            number: pytest.approx(size * scale, abs=6 if buckets == 4096 else 25)
            for number, size in enumerate([900, 900, 300, 300, 200, 200, 200])
        }
