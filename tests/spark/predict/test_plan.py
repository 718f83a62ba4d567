"""What there is to do: bundle rows minus rows already predicted."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from eoltag.records import ModelSlot, Outcome
from eoltag.settings import FetchSettings, RunSettings
from eoltag.spark.predict.plan import Bucket, Counts, buckets_of, count
from eoltag.spark.predict.subtraction import RefreshPolicy, images, to_do, with_models
from eoltag.spark.predict.tagging import Round, place_of, task_of
from eoltag.spark.predict.waves import Speed, first_speed, next_wave, rounds_for, wave_size
from tests.support.tables import NOON, VERSION, bundle_rows, predictions

A, B, C = "https://eol.org/a.jpg", "https://eol.org/b.jpg", "https://eol.org/c.jpg"
SLOT = ModelSlot("kind", "main", VERSION)


def asked(
    session: SparkSession, rows: list[dict[str, Any]], known: list[dict[str, Any]], policy: RefreshPolicy
) -> list[str]:
    """URLs that are to be fetched."""
    planned = with_models(images(bundle_rows(session, rows)), predictions(session, known), [SLOT], policy)
    return sorted(row["eolMediaURL"] for row in to_do(planned).collect())


@pytest.mark.spark
class TestToDo:
    def test_everything_is_to_do_while_there_is_no_predictions_table(self, session: SparkSession) -> None:
        rows = bundle_rows(session, [{"eolMediaURL": A}, {"eolMediaURL": B}])
        planned = with_models(images(rows), None, [SLOT], RefreshPolicy())
        assert {row["eolMediaURL"]: row["models"] for row in to_do(planned).collect()} == {
            A: ["kind/main"],
            B: ["kind/main"],
        }

    def test_what_is_predicted_is_not_asked_again(self, session: SparkSession) -> None:
        assert asked(session, [{"eolMediaURL": A}, {"eolMediaURL": B}], [{"eolMediaURL": A}], RefreshPolicy()) == [B]

    def test_the_same_url_in_two_bundles_is_fetched_once_for_its_first_row(self, session: SparkSession) -> None:
        rows = [{"eolMediaURL": A, "bundle": "two"}, {"eolMediaURL": A, "bundle": "one"}, {"eolMediaURL": A}]
        planned = with_models(images(bundle_rows(session, rows)), None, [SLOT], RefreshPolicy())
        (row,) = to_do(planned).collect()
        assert (row["bundle"], row["bundle_row"]) == ("list", 3)
        counts = count(buckets_of(to_do(planned)), rows_in=3, bad_rows=0)
        assert counts == Counts(rows_in=3, known=0, to_do=3, bad_rows=0, images_to_fetch=1)

    def test_a_url_with_two_versions_is_fetched_once_for_both(self, session: SparkSession) -> None:
        rows = [
            {"eolMediaURL": A, "dataObjectVersionID": "1"},
            {"eolMediaURL": A, "dataObjectVersionID": "2"},
            {"eolMediaURL": A},
        ]
        (row,) = to_do(with_models(images(bundle_rows(session, rows)), None, [SLOT], RefreshPolicy())).collect()
        assert sorted(row["versions"]) == ["1", "2"]

    def test_a_changed_version_is_asked_again_and_only_its_row(self, session: SparkSession) -> None:
        rows = [{"eolMediaURL": A, "dataObjectVersionID": "2"}, {"eolMediaURL": B, "dataObjectVersionID": "1"}]
        known = [{"eolMediaURL": A, "dataObjectVersionID": "1"}, {"eolMediaURL": B, "dataObjectVersionID": "1"}]
        assert asked(session, rows, known, RefreshPolicy()) == [A]

    def test_a_row_without_version_is_content_with_any_version(self, session: SparkSession) -> None:
        assert (
            asked(session, [{"eolMediaURL": A}], [{"eolMediaURL": A, "dataObjectVersionID": "9"}], RefreshPolicy())
            == []
        )

    def test_a_new_model_version_asks_for_everything(self, session: SparkSession) -> None:
        known = [{"eolMediaURL": A, "model_version": "bbbbbbbbbbbb"}]
        assert asked(session, [{"eolMediaURL": A}], known, RefreshPolicy()) == [A]

    def test_only_the_models_without_a_prediction_are_asked(self, session: SparkSession) -> None:
        slots = [SLOT, ModelSlot("kind", "second", VERSION), ModelSlot("other", "main", VERSION)]
        known = predictions(session, [{"eolMediaURL": A}, {"eolMediaURL": A, "task": "other"}])
        planned = with_models(images(bundle_rows(session, [{"eolMediaURL": A}])), known, slots, RefreshPolicy())
        assert [row["models"] for row in to_do(planned).collect()] == [["kind/second"]]

    @pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.OK}))
    def test_a_passing_failure_is_asked_again_and_a_final_one_only_on_request(
        self, session: SparkSession, outcome: Outcome
    ) -> None:
        known = [{"eolMediaURL": A, "outcome": outcome.value}]
        assert asked(session, [{"eolMediaURL": A}], known, RefreshPolicy()) == ([] if outcome.is_final else [A])
        assert asked(session, [{"eolMediaURL": A}], known, RefreshPolicy(failed=True)) == [A]

    def test_a_failure_that_was_mended_later_is_settled(self, session: SparkSession) -> None:
        known = [{"eolMediaURL": A, "outcome": "timeout"}, {"eolMediaURL": A}]
        assert asked(session, [{"eolMediaURL": A}], known, RefreshPolicy(failed=True)) == []

    def test_what_is_older_than_the_refresh_age_is_asked_again(self, session: SparkSession) -> None:
        known = [{"eolMediaURL": A, "fetched_at": NOON}, {"eolMediaURL": B, "fetched_at": NOON + timedelta(days=2)}]
        rows = [{"eolMediaURL": A}, {"eolMediaURL": B}]
        assert asked(session, rows, known, RefreshPolicy(before=NOON + timedelta(days=1))) == [A]

    def test_rows_without_a_usable_url_are_counted_apart_and_still_to_do(self, session: SparkSession) -> None:
        rows = [
            {"eolMediaURL": None, "is_usable": False},
            {"eolMediaURL": None, "is_usable": False},
            {"eolMediaURL": "nonsense", "is_usable": False},
            {"eolMediaURL": A},
            {"eolMediaURL": B},
        ]
        planned = with_models(
            images(bundle_rows(session, rows)), predictions(session, [{"eolMediaURL": A}]), [SLOT], RefreshPolicy()
        )
        counts = count(buckets_of(to_do(planned)), rows_in=5, bad_rows=3)
        assert counts == Counts(rows_in=5, known=1, to_do=1, bad_rows=3, images_to_fetch=1)
        assert {row["eolMediaURL"] for row in to_do(planned).collect()} == {None, "nonsense", B}

    def test_a_row_without_url_is_known_once_it_has_its_outcome(self, session: SparkSession) -> None:
        rows = [{"eolMediaURL": None, "is_usable": False}]
        known = predictions(session, [{"eolMediaURL": None, "outcome": "bad_url"}])
        assert to_do(with_models(images(bundle_rows(session, rows)), known, [SLOT], RefreshPolicy())).collect() == []


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
