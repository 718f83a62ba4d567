"""`--map`: labels put together for `evaluate` and `thresholds`, their probabilities added up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoltag.errors import DataError
from eoltag.model.outputs.classes import softmax
from train.__main__ import main
from train.evaluate.label_map import read_label_map

STARS = ("1", "2", "3", "4", "5")
MAP = "1=bad,2=bad,3=,4=good,5=good"


def test_the_probability_of_a_name_is_the_sum_of_those_of_its_labels() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (4, 5)).astype(np.float32)
    found = read_label_map("1=bad,2=bad", STARS)
    assert found is not None
    assert found.labels == ("bad", "3", "4", "5")
    merged, whole = softmax(found.logits(logits, 2.0), 2.0), softmax(logits, 2.0)
    np.testing.assert_allclose(merged[:, 0], whole[:, 0] + whole[:, 1], atol=1e-6)
    np.testing.assert_allclose(merged[:, 1:], whole[:, 2:], atol=1e-6)


def test_a_label_without_a_name_is_left_out_and_the_others_share_what_it_had() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (4, 5)).astype(np.float32)
    found = read_label_map(MAP, STARS)
    assert found is not None
    whole = softmax(logits, 1.0)
    bad, good = whole[:, :2].sum(axis=1), whole[:, 3:].sum(axis=1)
    np.testing.assert_allclose(softmax(found.logits(logits, 1.0), 1.0)[:, 0], bad / (bad + good), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("6=good", r"wanted LABEL=NAME, a label of the package \(1, 2, 3, 4, 5\) in front\. Received: '6=good'"),
        ("bad", "Received: 'bad'"),
        ("1=a,2=a,3=a,4=a,5=a", "two names or more are wanted. Received: a"),
    ],
)
def test_a_map_that_says_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_label_map(text, STARS)


def test_evaluate_counts_five_kinds_as_two(
    small_package: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = "map=drawn,phylogeny=drawn,illustration=,herbarium_sheet=taken,photo=taken"
    merged = evaluated(capsys, small_package, sample_images, "--map", drawn)
    plain = evaluated(capsys, small_package, sample_images)
    assert merged["labels"] == ["taken", "drawn"]
    assert (merged["images"]["evaluated"], plain["images"]["evaluated"]) == (80, 100)
    assert {label: row["support"] for label, row in merged["per_class"].items()} == {"taken": 40, "drawn": 40}
    assert merged["accuracy"] >= plain["accuracy"] - 0.2
    assert merged["map"] == drawn


def evaluated(capsys: pytest.CaptureFixture[str], package: Path, data: Path, *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["evaluate", str(package), str(data), "--split", "all", "--json", *more]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_thresholds_of_names_are_shown_and_not_written(
    small_package: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["thresholds", str(small_package), str(sample_images), "--max-error", "0.3", "--allow-seen"]
    words += ["--map", "map=drawn,phylogeny=drawn"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["label"] for row in found["sweeps"]["logit"]} == {"herbarium_sheet", "illustration", "drawn", "photo"}
    assert main([*words, "--write"]) == 2
    assert "leave --map away" in capsys.readouterr().err
