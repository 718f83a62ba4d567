"""Where rules cut: the numbers that stand beside `confidence` and `logit` in their SQL."""

import pytest

from eoltag.decide.cuts import find_cuts
from eoltag.records import Cut

MODELS = ("main", "Second")


def found(condition: str) -> list[tuple[str, str, float, tuple[str, ...]]]:
    """(model, measure, value, labels) of each cut of one rule."""
    return [(cut.model, cut.measure, cut.value, cut.labels) for cut in find_cuts([("r", condition)], MODELS)]


@pytest.mark.parametrize(
    ("condition", "cuts"),
    [
        ("label = 'bad' AND logit > 1.5", [("main", "logit", 1.5, ("bad",))]),
        ("1.6 <= second.logit AND Second.label IN ('a', 'b')", [("Second", "logit", 1.6, ("a", "b"))]),
        ("second.label = 'a' AND logit > 2", [("main", "logit", 2.0, ())]),
        ("confidence BETWEEN .2 AND 4e-1", [("main", "confidence", 0.2, ()), ("main", "confidence", 0.4, ())]),
        (
            "(label = 'a' AND confidence >= 0.5) OR (label = 'b' AND logit < -1.5D)",
            [("main", "confidence", 0.5, ("a",)), ("main", "logit", -1.5, ("b",))],
        ),
        ("((label = 'a' OR label = 'b') AND `logit` >= 3)", [("main", "logit", 3.0, ("a", "b"))]),
        ("label NOT IN ('a') AND logit > 1", [("main", "logit", 1.0, ())]),
        ("logit > 1 AND logit > 1", [("main", "logit", 1.0, ())]),
    ],
)
def test_comparisons_with_a_number_are_cuts(
    condition: str, cuts: list[tuple[str, str, float, tuple[str, ...]]]
) -> None:
    assert found(condition) == cuts


@pytest.mark.parametrize(
    "condition",
    [
        "label = 'logit > 3'",
        'ancestry LIKE "%confidence > 0.5%"',
        "scores['x'] > 0.4",
        "2 * logit > 3",
        "logit > 1.5 * 2",
        "abs(logit - 3) < 1",
        "logit > width",
        "logit = 3",
        "third.logit > 3",
        "logit > ${threshold.bad}",
        "logit >",
        "((",
        "",
    ],
)
def test_what_is_not_understood_is_no_cut(condition: str) -> None:
    assert found(condition) == []


def test_cuts_carry_the_name_of_their_rule_in_the_order_of_the_rules() -> None:
    cuts = find_cuts([("first", "logit > 2"), ("second", "logit > 1"), ("third", "ancestry = 'x'")], ("main",))
    assert cuts == [Cut("first", "main", "logit", 2.0), Cut("second", "main", "logit", 1.0)]


def test_a_cut_concerns_its_labels_or_all() -> None:
    assert Cut("r", "main", "logit", 1.0).concerns("anything")
    assert Cut("r", "main", "logit", 1.0, ("a",)).concerns("a")
    assert not Cut("r", "main", "logit", 1.0, ("a",)).concerns("b")
