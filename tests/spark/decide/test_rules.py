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


@pytest.mark.parametrize("columns", [("Logit",), ("ancestry",), ("place=bundle",), ("kind=is_usable",), ("tag",)])
def test_a_bundle_column_of_a_name_that_is_taken_is_refused(session: SparkSession, columns: tuple[str, ...]) -> None:
    with pytest.raises(TaskError, match=r"kind.toml: bundle_columns: '.*' would be a second column of a name"):
        check_task(session, task(bundle_columns=columns))


def test_rules_see_bundle_columns_as_texts(session: SparkSession) -> None:
    check_task(session, task(bundle_columns=("year",), rules=(rule("old", "CAST(year AS INT) < 1900", "old"),)))
    with pytest.raises(TaskError, match="years"):
        check_task(session, task(bundle_columns=("year",), rules=(rule("old", "years < '1900'", "old"),)))


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


def test_tags_of_kinds_that_do_not_go_together_are_refused(session: SparkSession) -> None:
    rules = (rule("a", "logit > 1", "x"), Rule(name="b", when="true", tag_sql="scores"))
    with pytest.raises(TaskError, match=r"kind\.toml: its rules, taken together: Spark refuses it"):
        check_task(session, task(rules=rules))


def test_no_variable_of_the_environment_gets_into_a_tag(session: SparkSession) -> None:
    rules = (Rule(name="r", when="label = 'bad'", tag_sql="'${env:PATH}'"),)
    assert decided(session, [{"eolMediaURL": A}], [{"eolMediaURL": A, **BAD}], rules=rules)[0][2] == "${env:PATH}"


@pytest.mark.parametrize(
    "when",
    [
        "1 = 2 OR confidence > 95",
        "NOT ancestry LIKE '%a%' OR ancestry IS NULL",
        "round(confidence, 2) > 1.5 OR fetched_at > '2026-01-01' OR lower(label) = 'BAD'",
        "label <> 'bad' AND CAST(ancestry AS INT) = 3 AND main.width / height > 2",
        "exists(split(ancestry, '\\\\|'), name -> name = 'Rosa') OR element_at(scores, 'good') < 0.1",
    ],
)
def test_a_rule_that_spark_and_the_reader_take_passes(session: SparkSession, when: str) -> None:
    check_task(session, task(rules=(rule("r", when, "x"),)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"where": "no_such > 1"}, "where: Spark refuses it"),
        ({"rules": (rule("r", "mnorm_pp > 2", "x"),)}, "mnorm_pp"),
        ({"extras": {"tag": "label"}}, "extra column 'tag': the tags table has a column of that name"),
    ],
)
def test_other_slips_are_refused_as_well(session: SparkSession, content: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        check_task(session, task(**{"rules": (rule("r", "label = 'bad'", "worse"),), **content}))
    assert said in str(caught.value)
    check_task(session, task(rules=(rule("r", "mnorm_pp > 2", "x"),), features=("mnorm_pp",), where="tag = 'x'"))
