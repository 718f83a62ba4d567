"""Predictions to tags: every bundle row once, the first rule that holds, nothing for an image that failed."""

from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import Rule
from eoltag.errors import TaskError
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.runtime.session import task_slots
from tests.support.tables import NOON, bundle_rows, predictions, rule, task

pytestmark = pytest.mark.spark
A, B, C = "https://eol.org/a.jpg", "https://eol.org/b.jpg", "https://eol.org/c.jpg"
BAD = {"label": "bad", "confidence": 0.9, "logit": 2.0}


def decided(
    session: SparkSession, rows: list[dict[str, Any]], known: list[dict[str, Any]], **content: Any
) -> list[tuple[Any, ...]]:
    """(bundle_row, outcome, tag, rule) in order."""
    tags = tag_rows(bundle_rows(session, rows), predictions(session, known), task(**content))
    return [
        (row["bundle_row"], row["outcome"], row["tag"], row["rule"])
        for row in tags.orderBy("bundle_row").select("bundle_row", "outcome", "tag", "rule").collect()
    ]


def test_the_test_session_runs_as_the_job_does(session: SparkSession) -> None:
    assert task_slots(session.sparkContext) == 2


def test_a_rule_holds_above_its_boundary_and_not_on_it(session: SparkSession) -> None:
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}]
    known = [{"eolMediaURL": A, **BAD, "logit": 1.5}, {"eolMediaURL": B, **BAD, "logit": 1.5001}]
    rules = (rule("bad_above", "label = 'bad' AND logit > 1.5", "bad"),)
    assert decided(session, rows, known, rules=rules, missing="NA") == [
        (1, "ok", "NA", None),
        (2, "ok", "bad", "bad_above"),
    ]


def test_the_first_rule_that_holds_wins_and_one_that_is_null_does_not_hold(session: SparkSession) -> None:
    rows = [{"eolMediaURL": A, "ancestry": "Plantae|Poaceae"}, {"eolMediaURL": B}]
    known = [{"eolMediaURL": A, **BAD}, {"eolMediaURL": B, **BAD}]
    rules = (rule("grass", "ancestry LIKE '%Poaceae%'", "N"), rule("any", "label = 'bad'", "Y"))
    assert decided(session, rows, known, rules=rules) == [(1, "ok", "N", "grass"), (2, "ok", "Y", "any")]


def test_every_row_comes_out_once_with_its_own_failure_and_no_tag(session: SparkSession) -> None:
    rows = [{"eolMediaURL": A}, {"eolMediaURL": A}, {"eolMediaURL": B}, {"eolMediaURL": None, "is_usable": False}]
    known = [
        {"eolMediaURL": A, **BAD},
        {"eolMediaURL": B, "outcome": "gone", "http_status": 404},
        {"eolMediaURL": None, "outcome": "bad_url"},
    ]
    assert decided(session, rows, known, rules=(rule("all", "true", "x"),)) == [
        (1, "ok", "x", "all"),
        (2, "ok", "x", "all"),
        (3, "gone", None, None),
        (4, "bad_url", None, None),
    ]


def test_a_row_that_is_not_predicted_yet_has_no_outcome(session: SparkSession) -> None:
    assert decided(session, [{"eolMediaURL": A}], []) == [(1, None, None, None)]


def test_the_latest_prediction_stands_but_no_passing_failure_displaces_an_answer(session: SparkSession) -> None:
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}, {"eolMediaURL": C}]
    later = NOON + timedelta(days=1)
    known = [
        {"eolMediaURL": A, **BAD},
        {"eolMediaURL": A, "outcome": "timeout", "fetched_at": later},
        {"eolMediaURL": B, "outcome": "throttled"},
        {"eolMediaURL": B, **BAD, "fetched_at": later},
        {"eolMediaURL": C, **BAD},
        {"eolMediaURL": C, "outcome": "gone", "fetched_at": later},
    ]
    assert [row[1] for row in decided(session, rows, known)] == ["ok", "ok", "gone"]


def test_predictions_of_other_versions_tasks_and_models_play_no_part(session: SparkSession) -> None:
    known = [
        {"eolMediaURL": A, **BAD, "model_version": "bbbbbbbbbbbb"},
        {"eolMediaURL": A, **BAD, "task": "other"},
        {"eolMediaURL": A, **BAD, "model": "second"},
        {"eolMediaURL": A, **BAD, "dataObjectVersionID": "1"},
    ]
    assert decided(session, [{"eolMediaURL": A, "dataObjectVersionID": "2"}], known) == [(1, None, None, None)]


def test_two_models_are_told_apart_and_one_failure_fails_the_row(session: SparkSession) -> None:
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}]
    known = [
        {"eolMediaURL": A, "model": "tag7", "label": "good", "logit": 2.0},
        {"eolMediaURL": A, "model": "tag11", "label": "bad", "logit": 1.0},
        {"eolMediaURL": B, "model": "tag7", "label": "good", "logit": 2.0},
        {"eolMediaURL": B, "model": "tag11", "outcome": "timeout"},
    ]
    rules = (rule("both", "tag7.label = 'good' AND tag11.label = 'bad' AND tag11.logit < 1.5", "N"),)
    assert decided(session, rows, known, models=("tag7", "tag11"), rules=rules) == [
        (1, "ok", "N", "both"),
        (2, "timeout", None, None),
    ]


def test_a_threshold_comes_from_the_card(session: SparkSession) -> None:
    rules = (rule("sure", "label = 'bad' AND confidence >= ${threshold.bad}", "bad"),)
    known = [{"eolMediaURL": A, **BAD}]
    assert decided(session, [{"eolMediaURL": A}], known, rules=rules, thresholds={"bad": 0.95})[0][2] == "NA"
    assert decided(session, [{"eolMediaURL": A}], known, rules=rules, thresholds={"bad": 0.85})[0][2] == "bad"


SEEN: list[dict[str, Any]] = [
    {"eolMediaURL": A, "dataObjectVersionID": "1", "ancestry": "Plantae|Poaceae"},
    {"eolMediaURL": B},
    {"eolMediaURL": B, "bundle": "other", "bundle_row": 1},
    {"eolMediaURL": C},
    {"eolMediaURL": None, "is_usable": False},
]
SAID: list[dict[str, Any]] = [
    {"eolMediaURL": A, "dataObjectVersionID": "1", **BAD, "width": 10, "scores": {"bad": 0.9}, "http_status": 200},
    {"eolMediaURL": B, "label": "good", "confidence": 0.6, "logit": -1.0, "scores": {"good": 0.6}},
    {"eolMediaURL": None, "outcome": "bad_url", "detail": "no URL"},
]


def test_quotes_in_a_tag_stay_text(session: SparkSession) -> None:
    name = 'it\'s \\ "odd"'
    assert decided(session, [{"eolMediaURL": A}], [{"eolMediaURL": A, **BAD}], rules=(rule(name, "true", name),)) == [
        (1, "ok", name, name)
    ]


def test_an_extra_column_is_computed(session: SparkSession) -> None:
    tags = tag_rows(
        bundle_rows(session, [{"eolMediaURL": A}]),
        predictions(session, [{"eolMediaURL": A, **BAD}]),
        task(extras={"problematic": "CASE WHEN logit > 1 THEN 'maybe' END"}),
    )
    assert [row["problematic"] for row in tags.collect()] == ["maybe"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"rules": (rule("r1", "label = = 'bad'", "x"),)}, "rule 'r1'"),
        ({"rules": (rule("r2", "no_such_column > 1", "x"),)}, "no_such_column"),
        ({"rules": (rule("r3", "confidence", "x"),)}, "rule 'r3'"),
        ({"rules": (rule("r4", "count(*) > 1", "x"),)}, "rule 'r4'"),
        ({"extras": {"more": "logit +"}}, "extra column 'more'"),
        ({"columns": ("tag", "x=no_such_column")}, "TSV column 'x'"),
        ({"extras": {"nothing": "NULL"}}, "extra column 'nothing' is always NULL"),
    ],
)
def test_an_expression_that_spark_refuses_is_named_in_one_line(
    session: SparkSession, content: dict[str, Any], named: str
) -> None:
    with pytest.raises(TaskError) as caught:
        check_task(session, task(**content))
    assert str(caught.value).startswith("kind.toml: ")
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sound_task_passes(session: SparkSession) -> None:
    rules = (rule("r", "label = 'bad' AND main.logit > 1 AND width > 10", "bad"),)
    columns = ("tag", "confidence=logit", "main.label", "problematic")
    sound = task(rules=rules, extras={"problematic": "ancestry LIKE '%Poaceae%'"}, columns=columns)
    check_task(session, sound)


def test_what_is_checked_beforehand_are_the_columns_that_there_are(session: SparkSession) -> None:
    rows = tag_rows(bundle_rows(session, [{"eolMediaURL": A}]), None, task(models=("tag7", "tag11")))
    columns = [name for name in rows.columns if name != "models"]
    assert {"eolMediaURL", "bundle_row", "outcome", "tag", "rule", "confidence", "fetched_at"} < set(columns)
    check_task(session, task(models=("tag7", "tag11"), columns=(*columns, "tag7.logit", "tag11.label")))


SURE = rule("sure", "label = 'bad' AND logit > 1.5", "x")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ((rule("r", "1 = 2", "x"),), "rule 'r' can never fire: it is false or contradicts itself"),
        ((rule("r", "false", "x"),), "it is false or contradicts itself"),
        ((rule("r", "label = NULL", "x"),), "it is false or contradicts itself"),
        ((rule("r", "NOT (label = NULL OR true)", "x"),), "it is false or contradicts itself"),
        ((rule("r", "confidence > 1.5", "x"),), "confidence lies between 0 and 1"),
        ((rule("r", "confidence >= 0.9 AND confidence < 0.9", "x"),), "it is false or contradicts itself"),
        ((rule("r", "scores['bad'] < 0", "x"),), "scores[bad] lies between 0 and 1"),
        ((rule("r", "outcome = 'gone'", "x"),), "outcome is one of ok"),
        ((rule("r", "logit BETWEEN 3 AND 2", "x"),), "it is false or contradicts itself"),
        ((rule("r", "label = 'bad' AND main.label = 'good'", "x"),), "it is false or contradicts itself"),
        ((SURE, rule("r", "label = 'bad' AND logit > 1.5", "y")), "whenever it holds, rule 'sure' before it"),
        ((SURE, rule("r", "main.logit > 2 AND 'bad' = label", "y")), "whenever it holds, rule 'sure' before it"),
        ((SURE, rule("r", "label = 'bad' AND logit >= 1.6 AND ancestry LIKE '%a%'", "y")), "rule 'sure' before it"),
        (
            (rule("a", "ancestry LIKE '%a%'", "x"), rule("r", "ancestry LIKE '%a%' AND width > 3", "y")),
            "rule 'a' before it",
        ),
        (
            (rule("a", "label = 'bad'", "x"), rule("b", "label = 'good'", "y"), rule("r", "logit > 3", "z")),
            "one of the rules before it holds as well",
        ),
        ((rule("a", "true", "x"), rule("r", "logit > 3", "y")), "rule 'a' before it"),
        ((rule("r", "label = 'Bad'", "x"),), "the package has no label 'Bad'; it has bad, good"),
        ((rule("r", "logit > 3 OR label IN ('good', 'fine')", "x"),), "no label 'fine'"),
    ],
)
def test_a_rule_that_can_never_fire_is_refused_with_its_reason(
    session: SparkSession, rules: tuple[Rule, ...], said: str
) -> None:
    with pytest.raises(TaskError) as caught:
        check_task(session, task(rules=rules))
    assert str(caught.value).startswith("kind.toml: rule 'r'")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "rules",
    [
        (SURE, rule("r", "label = 'bad' AND logit > 1.4", "y")),
        (SURE, rule("r", "label = 'bad' AND logit <= 1.5", "y")),
        (rule("a", "label = 'bad' AND width > 3", "x"), rule("r", "label = 'bad'", "y")),
        (rule("a", "NOT ancestry LIKE '%a%'", "x"), rule("r", "NOT ancestry LIKE '%a%' OR ancestry IS NULL", "y")),
        (rule("a", "ancestry LIKE '%a%'", "x"), rule("r", "NOT ancestry LIKE '%a%'", "y")),
        (rule("a", "ancestry LIKE '%a%' OR NOT ancestry LIKE '%a%'", "x"), rule("r", "true", "no ancestry")),
        (rule("r", "confidence >= 1", "x"),),
        (rule("r", "round(confidence, 2) > 1.5 OR fetched_at > '2026-01-01' OR lower(label) = 'BAD'", "x"),),
        (rule("r", "label <> 'bad' AND CAST(ancestry AS INT) = 3 AND main.width / height > 2", "x"),),
        (rule("r", "CASE WHEN label = 'bad' THEN logit > 1 ELSE false END", "x"),),
    ],
)
def test_a_rule_that_may_fire_passes(session: SparkSession, rules: tuple[Rule, ...]) -> None:
    check_task(session, task(rules=rules))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"where": "tag = 'wrose'"}, "where would leave every TSV empty: tag is one of NA, worse"),
        ({"where": "no_such > 1"}, "where: Spark refuses it"),
        ({"where": "label = 'wrose'"}, "where: the package has no label 'wrose'"),
        ({"rules": (rule("r", "mnorm_pp > 2", "x"),)}, "mnorm_pp"),
        ({"extras": {"tag": "label"}}, "extra column 'tag': the tags table has a column of that name"),
    ],
)
def test_other_slips_are_refused_as_well(session: SparkSession, content: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        check_task(session, task(**{"rules": (rule("r", "label = 'bad'", "worse"),), **content}))
    assert said in str(caught.value)
    check_task(session, task(rules=(rule("r", "mnorm_pp > 2", "x"),), features=("mnorm_pp",), where="tag = 'x'"))
