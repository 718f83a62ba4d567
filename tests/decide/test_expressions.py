"""Expressions of a task file: what they may hold, what is refused by name, and the texts that they compare."""

import re

import pytest

from eoltag.decide.expressions import Refused, read, read_loosely, texts_compared
from eoltag.decide.functions import ALLOWED, WHY_NOT

MODELS = ("main", "Second")


@pytest.mark.parametrize(
    "text",
    [
        "label = 'bad' AND logit > 1.5F OR NOT confidence <=> 0.5",
        "lower(label) IN ('a', 'b') AND ancestry NOT LIKE '%Poaceae%'",
        "ancestry RLIKE r'\\bRosa\\b' OR label LIKE ANY ('a%', 'b%') OR label ILIKE 'x' ESCAPE '!'",
        "CASE WHEN label = 'a' THEN logit > 1 ELSE false END",
        "CASE label WHEN 'a' THEN 1 ELSE (2) END = 1",
        "array_contains(split(ancestry, '\\\\|'), 'Poaceae')",
        "exists(split(ancestry, ','), x -> (x = 'b')) AND aggregate(array(1, 2), 0, (sum, x) -> sum + x) > 2",
        "second.scores['a'] + scores.b > element_at(scores, 'c') AND array(1, 2)[0] = 1",
        "coalesce(try_cast(identifier AS INT), CAST('1' AS DECIMAL(10, 2)), dataObjectVersionID::int) % 2 = 0",
        "fetched_at > '2026-01-01' AND year(fetched_at) = extract(YEAR FROM DATE'2026-01-01' + INTERVAL 1 DAY)",
        "trim(BOTH 'x' FROM label) || substring(label FROM 2) = overlay(label PLACING 'b' FROM 1)",
        "label = 'it\\'s -- no /* comment */ rand()' OR label = \"(SELECT 1)\" OR label = 'now'",
        "`logit` BETWEEN (-1) AND (2) AND (label, width) IN (('a', 1))",
    ],
)
def test_plain_expressions_over_the_row_are_read(text: str) -> None:
    assert read(text).sql()


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("label = 'bad' -- sure", "a comment 'sure'"),
        ("label /* which? */ = 'bad'", "a comment 'which?'"),
        ("/*+ hint */ true", "a comment 'hint'"),
        ("1--1 > 0", "a comment '1 > 0'"),
        ("true --", "a comment ''"),
        ("(SELECT 1) > 0", "a subquery, (SELECT 1)"),
        ("EXISTS (SELECT 1)", "SELECT 1"),
        ("label IN (SELECT text FROM text.`/etc/passwd`)", "a subquery"),
        ("label IN (FROM x SELECT y)", "a subquery"),
        ("reflect('java.lang.System', 'exit', 1) = ''", "reflect, which runs code of Java"),
        ("`reflect`('java.lang.System', 'exit', 1) = ''", "reflect, which runs code of Java"),
        ("java_method ('java.lang.System', 'exit', 1) = ''", "java_method, which runs code of Java"),
        ("array(reflect('a'))[0] = ''", "reflect"),
        ("a.b.reflect('a') = ''", "reflect"),
        ("r'\\' = reflect('a') OR ''", "reflect"),
        ("`\\` = reflect('a') OR `b`", "reflect"),
        ("rand() > 0.5", "rand, which gives another answer in every run"),
        ("RAND() > 0.5", "RAND, which gives another answer in every run"),
        ("uuid() > ''", "uuid, which gives"),
        ("fetched_at > now()", "now, which gives"),
        ("fetched_at > current_timestamp", "CURRENT_TIMESTAMP, which gives"),
        ("fetched_at > current_timestamp()", "current_timestamp, which gives"),
        ("current_time > '12:00'", "current_time, which gives"),
        ("label = user", "user, which depends on the machine"),
        ("label = `user`", "user, which depends on the machine"),
        ("fetched_at > 'yesterday'", "'yesterday', which differs from run to run"),
        ("fetched_at > TIMESTAMP'now'", "'now', which differs from run to run"),
        ("to_date(' Today ') > '2026-01-01'", "' Today ', which differs"),
        ("count(*) > 1", "count, which needs more than the row"),
        ("any(label = 'a')", "ANY(label = 'a')"),
        ("row_number() OVER (ORDER BY logit) < 5", "row_number, which needs more than the row"),
        ("explode(array(1)) = 1", "explode, which needs more than the row"),
        ("made_up(label) = 1", "made_up"),
        ("system.builtin.lower(label) = 'a'", "system.builtin.lower(label)"),
        ("*", "*"),
        ("main.*", "main.*"),
        ("logit AS score", "logit AS score"),
        ("label = :label", ":label"),
        ("label = ?", "?"),
        ("true; DROP TABLE x", "2, with ; between them"),
    ],
)
def test_what_a_rule_may_not_hold_is_refused_by_name(text: str, received: str) -> None:
    with pytest.raises(Refused, match=rf"was wanted\. Received: .*{re.escape(received)}") as caught:
        read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "received"),
    [
        (" ", "nothing"),
        ("((", "((, not understood at '('"),
        ("logit >", "logit >, not understood at '>'"),
        ("label =\n = 'a'", "label = = 'a', not understood at '='"),
        ("label = 'a", "label = 'a, in which a quote is never closed"),
        ("IDENTIFIER('reflect')('a')", "IDENTIFIER('reflect')('a'), not understood at ''a''"),
        ("(" * 9999, "(((..., nested too deeply"),
    ],
)
def test_what_is_no_sql_is_refused_with_the_place_and_has_no_tree(text: str, received: str) -> None:
    with pytest.raises(Refused, match=rf"^an expression in SQL was wanted\. Received: .*{re.escape(received)}$"):
        read(text)
    assert read_loosely(text) is None


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("label = 'a' OR 'b' <=> (LABEL)", [("main", "label", "a"), ("main", "label", "b")]),
        ("NOT second.label IN ('a', 'b')", [("Second", "label", "a"), ("Second", "label", "b")]),
        ("main.label <> 'a'", [("main", "label", "a")]),
        ("scores['a'] > second.scores['b']", [("main", "scores", "a"), ("Second", "scores", "b")]),
        ("scores.a > second.scores.b", [("main", "scores", "a"), ("Second", "scores", "b")]),
        ("element_at(scores, 'a') > 0.5", [("main", "scores", "a")]),
        ("if(label = 'a', logit > 1, false)", [("main", "label", "a")]),
        ("third.label = 'a' OR lower(label) = 'b' OR label LIKE 'c' OR logit > 1 OR label = ancestry", []),
    ],
)
def test_texts_that_columns_are_compared_with_are_found(text: str, compared: list[tuple[str, str, str]]) -> None:
    assert [found for node in read(text).walk(bfs=False) for found in texts_compared(node, MODELS)] == compared


def test_no_function_is_both_allowed_and_argued_against() -> None:
    against = [name for names in WHY_NOT.values() for name in names.split()]
    assert ALLOWED.isdisjoint(against)
    assert len(against) == len(set(against))
