"""Guards: numbers in, refusals out."""

from dataclasses import replace

import pytest

from eoltag.publish.drift import stability_index, tags_index
from eoltag.publish.guards import Comparison, Limits, Measured, refusals
from eoltag.publish.task_table import Agreement, TaskPublish

FINE = Measured(rows=1000, missing=0, doubled=0, failed=10, pending=0)
LIMITS = Limits(max_flip_rate=0.1, max_failure_rate=0.5)
Moves = dict[tuple[str | None, str | None], int]
MODELS = {"main": "aaaaaaaaaaaa"}


def refused(
    measured: Measured,
    rules: TaskPublish | None = None,
    limits: Limits = LIMITS,
    certificate: dict[str, object] | None = None,
) -> list[str]:
    return refusals("kind", rules or TaskPublish(), measured, limits, certificate, MODELS)


def test_what_is_whole_and_was_never_published_is_not_refused() -> None:
    assert refused(FINE) == []


def test_missing_and_doubled_rows_are_refused_whatever_is_allowed() -> None:
    found = refused(replace(FINE, missing=1, doubled=2), limits=Limits(1.0, 1.0))
    assert found == [
        "task kind: 1 bundle rows have no row in the tags table",
        "task kind: 2 rows of the tags table are doubled or belong to no bundle row",
    ]


def test_failed_rows_and_those_without_an_answer_count_together() -> None:
    assert refused(replace(FINE, failed=300, pending=200)) == []
    assert refused(replace(FINE, failed=300, pending=201)) == [
        "task kind: 50.1% of 1,000 rows failed or have no answer yet; 50.0% are allowed"
    ]


def test_an_empty_task_is_refused() -> None:
    assert refused(Measured(0, 0, 0, 0, 0))


def test_flips_are_held_against_the_limit_of_the_task_and_a_lost_tag_is_a_flip() -> None:
    moves: Moves = {("map", "map"): 899, ("map", "photo"): 50, ("photo", None): 51, (None, "map"): 500}
    compared = replace(FINE, comparison=Comparison("V1", moves))
    assert compared.comparison is not None
    assert (compared.comparison.tagged, compared.comparison.flipped) == (1000, 101)
    assert refused(compared) == [
        "task kind: 101 of 1,000 tags (10.1%) differ from publication V1; 10.0% are allowed",
        "task kind: 51 of 51 images with tag 'photo' (100.0%) have it no more; 10.0% are allowed",
    ]


def test_the_task_file_and_its_tags_may_allow_more_and_the_command_line_goes_before_both() -> None:
    moves: Moves = {("map", "map"): 899, ("map", "photo"): 50, ("photo", None): 51}
    compared = replace(FINE, comparison=Comparison("V1", moves))
    rules = TaskPublish(max_flip_rate=0.2, max_flip_rates={"photo": 1.0})
    assert refused(compared, rules) == []
    assert len(refused(compared, rules, Limits(0.05, 0.5, is_strict=True))) == 3
    assert refused(compared, limits=Limits(1.0, 0.5, is_strict=True)) == []


def test_flips_of_a_tag_with_few_images_say_nothing() -> None:
    moves: Moves = {("map", "map"): 951, ("photo", "map"): 49}
    assert refused(replace(FINE, comparison=Comparison("V1", moves))) == []


def test_two_models_that_agree_too_seldom_are_refused() -> None:
    rules = TaskPublish(agreement=Agreement(models=("main", "second"), floor=0.9))
    assert refused(replace(FINE, agreement=0.9), rules) == []
    assert refused(replace(FINE, agreement=0.8), rules) == [
        "task kind: models 'main' and 'second' agree on 80.0% of the images; wanted 90.0%"
    ]


def test_a_certificate_that_is_demanded_must_be_there_and_hold_for_these_models() -> None:
    rules = TaskPublish(certificate=True)
    assert "certificates/kind.json is not there" in refused(FINE, rules)[0]
    assert refused(FINE, rules, certificate={"models": MODELS}) == []
    assert (
        "has lapsed (the scores have drifted)"
        in refused(FINE, rules, certificate={"models": MODELS, "lapsed": "the scores have drifted"})[0]
    )
    assert (
        "is of the models {'main': 'bbbbbbbbbbbb'}"
        in refused(FINE, rules, certificate={"models": {"main": "bbbbbbbbbbbb"}})[0]
    )
    assert refused(FINE) == []


def test_scores_that_have_drifted_are_refused_where_the_task_says_how_far_they_may() -> None:
    drifted = replace(FINE, drift={"confidence": 0.3, "tags": 0.1})
    assert refused(drifted) == []
    assert refused(drifted, TaskPublish(max_drift=0.25)) == [
        "task kind: confidence drifted: population stability index 0.30 against the current publication; "
        "0.25 is allowed"
    ]


def test_the_stability_index_is_that_of_the_textbook() -> None:
    assert stability_index({"a": 50, "b": 50}, {"a": 500, "b": 500}) == 0
    assert stability_index({"a": 50, "b": 50}, {"a": 60, "b": 40}) == pytest.approx(0.04055, abs=1e-5)
    assert stability_index({"a": 99, "b": 1}, {"b": 100}) > 5
    assert stability_index({}, {"a": 1}) == 0


def test_of_several_tags_an_image_each_is_held_against_its_own_limit() -> None:
    moves: Moves = {("flower", "flower"): 900, ("flower|fruit", "flower"): 60, ("flower|fruit", "flower|fruit"): 40}
    compared = replace(FINE, comparison=Comparison("V1", moves, has_several=True))
    assert compared.comparison is not None
    assert (compared.comparison.tags, compared.comparison.flipped) == (["flower", "fruit"], 60)
    assert (compared.comparison.of_tag("flower"), compared.comparison.of_tag("fruit")) == ((1000, 0), (100, 60))
    assert refused(compared) == [
        "task kind: 60 of 100 images with tag 'fruit' (60.0%) have it no more; 10.0% are allowed"
    ]
    assert refused(compared, TaskPublish(max_flip_rates={"fruit": 0.6})) == []


def test_the_shares_of_several_tags_drift_one_by_one() -> None:
    before, now = {"flower": 500, "fruit": 100}, {"flower": 1000, "fruit": 800}
    of_fruit = stability_index({1: 100, 0: 900}, {1: 800, 0: 1200})
    assert tags_index(before, now, (1000, 2000)) == pytest.approx(of_fruit)
    assert tags_index(before, before, (1000, 1000)) == 0.0
    assert tags_index({"flower": 1000}, {"flower": 1000}, (1000, 2000)) > 0.25, "half of the images have it no more"
    assert tags_index(before, now) == stability_index(before, now)
    assert tags_index({}, {}, (0, 0)) == 0.0
