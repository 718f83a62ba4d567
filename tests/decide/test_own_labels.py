"""Which label a rule asks for: its score is how sure the tag of the rule is."""

import pytest

from eoltag.decide.own_labels import own_labels
from eoltag.decide.tag_sql import confidences_of_tags
from tests.support.tables import rule, task

FLOWER, FRUIT = ("main", "flower"), ("main", "fruit")


@pytest.mark.parametrize(
    ("condition", "tag", "own"),
    [
        ("scores['flower'] >= 0.84", "flower", FLOWER),
        ("scores['flower'] >= 0.84", "a flower", FLOWER),
        ("1.5 < logits['flower']", "flower", FLOWER),
        ("scores.flower > 0.5", "flower", FLOWER),
        ("element_at(main.scores, 'flower') > 0.5", "flower", FLOWER),
        ("scores['flower'] BETWEEN 0.2 AND 0.8", "perhaps", FLOWER),
        ("second.scores['fruit'] > 0.5", "fruit", ("second", "fruit")),
        ("label = 'fruit' AND confidence > 0.5", "fruit", FRUIT),
        ("scores['flower'] > 0.5 AND scores['fruit'] > 0.5", "fruit", FRUIT),
        ("scores['flower'] > 0.5 AND scores['fruit'] > 0.5", "both", None),
        ("scores['flower'] > 0.5 AND scores['fruit'] < 0.1", "only a flower", FLOWER),
        ("scores['flower'] < 0.1", "no flower", None),
        ("NOT scores['flower'] > 0.1", "no flower", None),
        ("label <> 'flower'", "other", None),
        ("mnorm_pp < 5", "map", None),
        ("true", "read", None),
    ],
)
def test_a_rule_asks_for_the_label_whose_score_must_be_high(
    condition: str, tag: str, own: tuple[str, str] | None
) -> None:
    kind = task(models=("main", "second"), labels=("flower", "fruit"), rules=(rule("r", condition, tag),))
    assert own_labels(kind) == [own]


def test_a_tag_is_as_sure_as_its_first_rule_has_it() -> None:
    rules = (rule("f", "scores['flower'] > 0.9", "flower"), rule("g", "true", "flower"), rule("h", "true", "read"))
    kind = task(labels=("flower", "fruit"), rules=rules, multiple=True)
    assert confidences_of_tags(kind) == {"flower": "`main`.scores['flower']", "read": "confidence"}
