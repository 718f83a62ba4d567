"""Slips in a task file that are refused before Spark starts: what no rule may hold, and names that are not there."""

from typing import Any

import pytest

from eoltag.decide.task import Rule, refuse_slips
from eoltag.errors import TaskError
from tests.support.tables import rule, task

SURE = rule("sure", "label = 'bad'", "worse")


@pytest.mark.parametrize(
    ("when", "label"),
    [
        ("label = 'Bad'", "Bad"),
        ("logit > 3 OR label IN ('good', 'fine')", "fine"),
        ("NOT 'Bad' <=> main.label", "Bad"),
        ("scores['Bad'] > 0.5", "Bad"),
        ("CASE WHEN label = 'Bad' THEN logit > 1 ELSE false END", "Bad"),
    ],
)
def test_a_label_that_the_package_lacks_is_refused(when: str, label: str) -> None:
    with pytest.raises(TaskError) as caught:
        refuse_slips(task(rules=(rule("r", when, "x"),)))
    assert str(caught.value) == f"kind.toml: rule 'r': the package has no label '{label}'; it has bad, good"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"rules": (rule("r", "logit > rand()", "x"),)}, "rule 'r'"),
        ({"rules": (rule("r", "label = = 'bad'", "x"),)}, "rule 'r'"),
        ({"rules": (Rule(name="r", when="true", tag_sql="reflect('a', 'b')"),)}, "tag_sql of rule 'r'"),
        ({"extras": {"more": "uuid()"}}, "extra column 'more'"),
        ({"columns": ("tag", "at=now()")}, "TSV column 'at'"),
        ({"where": "(SELECT true)"}, "where"),
        ({"where": "true -- all"}, "where"),
    ],
)
def test_what_no_rule_may_hold_is_refused_wherever_it_stands(content: dict[str, Any], place: str) -> None:
    with pytest.raises(TaskError, match=rf"^kind\.toml: {place}: .* was wanted\. Received: .+$"):
        refuse_slips(task(**content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"where": "tag = 'wrose'"}, "where: no rule gives the tag 'wrose'; the tags are NA, worse"),
        ({"where": "label = 'wrose'"}, "where: the package has no label 'wrose'; it has bad, good"),
        ({"columns": ("is_bad=tag = 'wrose'",)}, "TSV column 'is_bad': no rule gives the tag 'wrose'"),
    ],
)
def test_a_tag_that_no_rule_gives_is_refused(content: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as caught:
        refuse_slips(task(**{"rules": (SURE,), **content}))
    assert str(caught.value).startswith(f"kind.toml: {said}")


@pytest.mark.parametrize(
    ("rules", "where"),
    [
        ((SURE,), "tag IN ('worse', 'NA')"),
        ((SURE, Rule(name="r", when="true", tag_sql="label")), "tag <> 'good'"),
        ((SURE, Rule(name="r", when="true", tag_sql="upper(label)")), "tag = 'GOOD'"),
    ],
)
def test_tags_that_rules_give_or_may_compute_pass(rules: tuple[Rule, ...], where: str) -> None:
    refuse_slips(task(rules=rules, where=where))
