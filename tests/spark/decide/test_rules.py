"""Facts to tags: every bundle row once, the first rule that holds, nothing for an image that failed."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from eoltag.decide.task import Rule
from eoltag.errors import TaskError
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.rules import Facts, tag_rows, verdict_columns
from eoltag.spark.runtime.session import task_slots
from tests.support.tables import NOON, VERSION, bundle_rows, facts, rule, task

pytestmark = pytest.mark.spark
A, B, C, D, E = (f"https://eol.org/{name}.jpg" for name in "abcde")
BAD = {"label": "bad", "confidence": 0.9, "logit": 2.0}


def decided(
    session: SparkSession, rows: list[dict[str, Any]], known: list[dict[str, Any]], **content: Any
) -> list[tuple[Any, ...]]:
    """(bundle_row, outcome, tag, rule) in order."""
    tags = tag_rows(bundle_rows(session, rows), facts(session, known), task(**content))
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
    with pytest.raises(TaskError, match=r"bundle_columns or --keep: .* would be a second column of a name"):
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


def test_the_latest_answer_counts_but_no_passing_failure_displaces_an_image_that_was_read(
    session: SparkSession,
) -> None:
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}, {"eolMediaURL": C}, {"eolMediaURL": D}, {"eolMediaURL": E}]
    later, latest = NOON + timedelta(days=1), NOON + timedelta(days=2)
    known = [
        {"eolMediaURL": A, **BAD},
        {"eolMediaURL": A, "outcome": "timeout", "asked_at": later},
        {"eolMediaURL": B, "outcome": "throttled"},
        {"eolMediaURL": B, **BAD, "asked_at": later},
        {"eolMediaURL": C, **BAD},
        {"eolMediaURL": C, "outcome": "gone", "asked_at": later},
        {"eolMediaURL": D, "outcome": "blocked_host"},
        {"eolMediaURL": D, "outcome": "server_error", "asked_at": later},
        {"eolMediaURL": E, **BAD},
        {"eolMediaURL": E, "outcome": "gone", "asked_at": later},
        {"eolMediaURL": E, "outcome": "timeout", "asked_at": latest},
    ]
    assert [row[1] for row in decided(session, rows, known)] == ["ok", "ok", "gone", "server_error", "timeout"]


def test_an_image_that_was_read_but_not_scored_by_the_model_has_no_outcome_yet(session: SparkSession) -> None:
    known = [{"eolMediaURL": A, **BAD, "model_version": "bbbbbbbbbbbb"}, {"eolMediaURL": B, "outcome": "gone"}]
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}]
    assert decided(session, rows, known, rules=(rule("all", "true", "x"),)) == [
        (1, None, None, None),
        (2, "gone", None, None),
    ]


def test_an_answer_for_another_version_of_an_image_plays_no_part(session: SparkSession) -> None:
    known = [{"eolMediaURL": A, **BAD, "dataObjectVersionID": "1"}]
    assert decided(session, [{"eolMediaURL": A, "dataObjectVersionID": "2"}], known) == [(1, None, None, None)]


def test_the_same_bytes_under_two_addresses_have_the_same_scores(session: SparkSession) -> None:
    same = {"content_sha256": "c0" * 32}
    known = [{"eolMediaURL": A, **BAD, **same}, {"eolMediaURL": B, **same, "is_scored": False}]
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}]
    bad = (rule("bad", "label = 'bad'", "bad"),)
    assert decided(session, rows, known, rules=bad) == [(1, "ok", "bad", "bad"), (2, "ok", "bad", "bad")]


def test_two_models_are_told_apart_and_one_without_a_score_leaves_the_row_open(session: SparkSession) -> None:
    rows = [{"eolMediaURL": A}, {"eolMediaURL": B}, {"eolMediaURL": C}]
    second = "bbbbbbbbbbbb"
    known = [
        {"eolMediaURL": A, "label": "good", "logit": 2.0},
        {"eolMediaURL": A, "label": "bad", "logit": 1.0, "model_version": second, "is_answer": False},
        {"eolMediaURL": B, "label": "good", "logit": 2.0},
        {"eolMediaURL": C, "outcome": "timeout"},
    ]
    rules = (rule("both", "tag7.label = 'good' AND tag11.label = 'bad' AND tag11.logit < 1.5", "N"),)
    models = {"models": ("tag7", "tag11"), "versions": (VERSION, second)}
    assert decided(session, rows, known, rules=rules, **models) == [
        (1, "ok", "N", "both"),
        (2, None, None, None),
        (3, "timeout", None, None),
    ]


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=2),
    st.sampled_from([0.25, 1.0, 3.7]),
)
def test_what_rules_see_is_what_the_package_says_of_its_scores(
    session: SparkSession, raw: list[float], temperature: float
) -> None:
    kind = task()
    card = kind.packages["main"].card.model_copy(update={"temperature": temperature})
    (said,) = card.verdicts(np.array([raw], np.float32))
    columns = verdict_columns("raw", card)
    rows = session.createDataFrame([(raw,)], "raw array<float>")
    (found,) = rows.select(*[column.alias(name) for name, column in columns.items()]).collect()
    assert (found["label"], found["logit"]) == (said.label, said.logit)
    assert np.float32(found["confidence"]) == pytest.approx(np.float32(said.confidence), abs=6e-8)
    assert found["scores"] == pytest.approx(said.scores, abs=6e-8)


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
        facts(session, [{"eolMediaURL": A, **BAD}]),
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
    rows = tag_rows(bundle_rows(session, [{"eolMediaURL": A}]), Facts(None, None, None), task(models=("tag7", "tag11")))
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
