"""Rows of bundles by outcome and tag; and never is a row held to be answered for good that the plan would ask for."""

import random
from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from eoltag.records import Outcome
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.predict.plan import Redo, images, to_do, with_models
from eoltag.spark.predict.waves import slots_of
from eoltag.spark.state.counting import Group, TableCounts, count_bundles, outcomes_of, tags_of
from tests.support.tables import NOON, bundle_rows, predictions, rule, task

BUNDLES = 120
LATER = NOON + timedelta(hours=3)


def drawn(seed: int, models: tuple[str, ...], outcomes: list[Outcome]) -> tuple[list[dict[str, Any]], ...]:
    """Bundles of one to three images, each answered by each model never, once or twice, for one version or another."""
    dice = random.Random(seed)
    rows: list[dict[str, Any]] = []
    known: list[dict[str, Any]] = []
    for bundle in range(BUNDLES):
        for number in range(dice.randint(1, 3)):
            url = f"https://eol.org/{bundle}/{number}.jpg"
            name = {"eolMediaURL": url, "bundle": f"list{bundle}", "bundle_row": number}
            rows.append({**name, "dataObjectVersionID": dice.choice([None, "1", "1"])})
            for model in models:
                known += [
                    {
                        "eolMediaURL": url,
                        "model": model,
                        "dataObjectVersionID": dice.choice(["1", "1", "1", "2", None]),
                        "outcome": (outcome := dice.choice([Outcome.OK, Outcome.OK, *outcomes])).value,
                        "label": "bad" if outcome == Outcome.OK else None,
                        "mnorm_pp": dice.choice([None, 1.0, 2.0]),
                        "fetched_at": NOON + timedelta(hours=dice.randint(0, 6)),
                    }
                    for _ in range(dice.choice([0, 1, 1, 1, 1, 2]))
                ]
    return rows, known


@pytest.mark.spark
@pytest.mark.parametrize(
    ("models", "features", "outcomes", "is_exact"),
    [
        (("main",), (), [Outcome.GONE, Outcome.TIMEOUT], True),
        (("main",), ("mnorm_pp",), [Outcome.GONE, Outcome.DNS], False),
        (("one", "two"), (), [Outcome.GONE, Outcome.TIMEOUT], False),
        (("one", "two"), (), [Outcome.GONE], True),
    ],
    ids=["one model", "a feature", "two models", "two models, no failure that may pass"],
)
def test_what_is_held_to_be_answered_for_good_is_never_asked_for_again(
    session: SparkSession,
    models: tuple[str, ...],
    features: tuple[str, ...],
    outcomes: list[Outcome],
    is_exact: bool,
) -> None:
    kind = task(models, features=features, rules=(rule("any", f"{models[0]}.label = 'bad'", "x"),))
    rows, known = (
        make(session, content)
        for make, content in zip((bundle_rows, predictions), drawn(1, models, outcomes), strict=True)
    )
    tags = tag_rows(rows, known, kind).localCheckpoint()
    counted = count_bundles(tags, known, kind)
    assert counted.groups is not None
    every = {f"list{number}" for number in range(BUNDLES)}
    assert set(counted.groups) == every
    kept = 0
    for redo in (Redo(), Redo(failed=True), Redo(before=LATER), Redo(failed=True, before=LATER)):
        work = to_do(with_models(images(rows), known, slots_of([kind]), redo))
        asked = {row["bundle"] for row in work.select("bundle").collect()}
        groups = {name: counted.groups[name] for name in counted.settled}
        sure = {name for name in groups if not any(one.is_outdated(redo) for one in groups[name])}
        assert not sure & asked, redo
        kept += len(sure)
        if redo == Redo():
            assert sure == every - asked if is_exact else len(sure) > len(every - asked) / 4
    assert kept > len(counted.settled), "some stand whatever is asked"


@pytest.mark.spark
def test_rows_are_counted_by_bundle_outcome_and_tag(session: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [f"https://eol.org/{number}.jpg" for number in range(5)]
    kind = task(rules=(rule("sure", "confidence > 0.5", "x"),))
    rows = bundle_rows(session, [{"eolMediaURL": url, "bundle": "ab"[at // 4]} for at, url in enumerate(urls)])
    answers: list[dict[str, Any]] = [{"confidence": 0.9}, {"confidence": 0.1}, {"outcome": "gone"}]
    known = predictions(session, [{"eolMediaURL": url, **one} for url, one in zip(urls, answers, strict=False)])
    tags = tag_rows(rows, known, kind)
    counted = count_bundles(tags, known, kind)
    assert counted.groups is not None
    assert {bundle: sorted((one[:3] for one in groups), key=str) for bundle, groups in counted.groups.items()} == {
        "a": [("gone", None, 1), ("ok", "NA", 1), ("ok", "x", 1), (None, None, 1)],
        "b": [(None, None, 1)],
    }
    assert len({one.places for one in counted.groups["a"]}) == 4, "each is of another row"
    assert counted.settled == []
    monkeypatch.setattr("eoltag.spark.state.counting.MOST_GROUPS", 4)
    assert count_bundles(tags, known, kind) == TableCounts(None, [])


def group(outcome: str | None, tag: str | None, rows: int, places: int) -> Group:
    """Of answers from long ago."""
    return Group(outcome, tag, rows, places, 0)


def test_outcomes_of_several_tasks_are_known_where_each_row_has_the_same_in_all() -> None:
    one = {"a": [group("ok", "x", 2, 7), group("ok", "y", 3, 5), group("gone", None, 1, 9)], "b": []}
    same = {"a": [group("ok", "z", 5, 7 ^ 5), group("gone", None, 1, 9)], "b": []}
    other_row = {"a": [group("ok", "z", 5, 7 ^ 5), group("gone", None, 1, 8)], "b": []}
    assert outcomes_of([one, same]) == {"ok": 5, "gone": 1}
    assert outcomes_of([one, other_row]) is None
    assert tags_of([*same["a"], *one["a"]]) == {"x": 2, "y": 3, "z": 5}
