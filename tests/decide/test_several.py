"""Several tags an image, as far as no Spark is needed."""

import pytest

from eoltag.decide.task import TaskFile, refuse_slips, rows_by_rule
from eoltag.errors import TaskError
from tests.support.tables import rule, task

RULES = (rule("f", "scores['bad'] > 0.5", "flower"), rule("g", "logits['good'] > 1", "fruit"))


def test_a_rule_counts_wherever_it_gave_a_tag() -> None:
    kind = task(rules=RULES, multiple=True)
    assert rows_by_rule(kind, {"f": 3, "f|g": 2, None: 5}) == {"f": 5, "g": 2}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"multiple": True, "rules": [{"name": "a|b", "when": "true", "tag": "x"}]}, "stands between several tags"),
        ({"multiple": True, "rules": [{"name": "a", "when": "true", "tag": "x|y"}]}, "tag 'x|y'"),
        ({"multiple": True, "missing": "x|y"}, "missing 'x|y'"),
        ({"tag_rows": "each"}, "is for tasks with multiple = true"),
    ],
)
def test_what_does_not_go_with_several_tags_is_refused(content: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("|", r"\|")):
        TaskFile(**{"name": "kind", "models": {"main": {"package": "p"}}, **content})  # type: ignore[arg-type]


def test_a_logit_of_a_label_that_is_not_there_is_a_slip() -> None:
    with pytest.raises(TaskError, match="the package has no label 'odd'"):
        refuse_slips(task(rules=(rule("f", "logits['odd'] > 1", "flower"),)))
