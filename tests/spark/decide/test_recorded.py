"""What the note of a decision says of the errors that thresholds promise, for the certificate to hold them against."""

from dataclasses import replace
from typing import Any

import pytest

from eoltag.decide.task import Task
from eoltag.spark.decide.recorded import recorded
from tests.support.tables import rule, task

THRESHOLDS = {"flower": 0.84, "fruit": 0.53}


def promising(label: str, max_error: float) -> dict[str, Any]:
    """What `train thresholds` writes onto a card, as far as it counts here."""
    return {"max_error": max_error, "confidence_level": 0.95, "chosen": {label: THRESHOLDS[label]}}


def kind(*rules: tuple[str, str]) -> Task:
    """Of these rules (condition, tag). Its first model promises 5 % for `flower`, its second 10 % for `fruit`."""
    made = task(
        models=("main", "second"), thresholds=THRESHOLDS, labels=("flower", "fruit"),
        rules=tuple(rule(f"r{number}", when, tag) for number, (when, tag) in enumerate(rules)),
    )  # fmt: skip
    records = {"main": promising("flower", 0.05), "second": promising("fruit", 0.1)}
    packages = {
        name: replace(package, card=package.card.model_copy(update={"threshold_record": records[name]}))
        for name, package in made.packages.items()
    }
    return replace(made, packages=packages)


FLOWER = "main.scores['flower'] >= ${threshold.main.flower}"
FRUIT = "second.scores['fruit'] >= ${threshold.second.fruit}"
STRONG = {"max_error": 0.05, "confidence_level": 0.95}
WEAK = {"max_error": 0.1, "confidence_level": 0.95}


@pytest.mark.parametrize(
    ("rules", "promises"),
    [
        ([(FLOWER, "flower")], {"flower": STRONG}),
        ([(FLOWER, "in bloom")], {"flower": STRONG, "in bloom": STRONG}),
        ([(FLOWER, "reproductive"), (FRUIT, "reproductive")], {"flower": STRONG, "reproductive": WEAK}),
        ([(FLOWER, "in bloom"), ("true", "in bloom")], {"flower": STRONG}),
        ([("main.scores['flower'] >= 0.2", "in bloom")], {"flower": STRONG}),
        ([("main.scores['fruit'] >= ${threshold.main.fruit}", "in fruit")], {"flower": STRONG}),
        ([("main.scores['flower'] >= 0.2 AND mnorm_pp < ${threshold.second.fruit}", "in bloom")], {"flower": STRONG}),
    ],
)
def test_a_tag_has_the_weakest_promise_of_the_labels_that_its_rules_ask_for(
    rules: list[tuple[str, str]], promises: dict[str, Any]
) -> None:
    assert recorded(kind(*rules))["promises"] == promises


def test_without_a_record_of_thresholds_nothing_is_promised() -> None:
    assert recorded(task(rules=(rule("r", "true", "x"),)))["promises"] == {}
