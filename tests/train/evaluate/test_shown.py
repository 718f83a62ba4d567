"""Which labels an image shows, by a package of several labels: in `classify` and in its tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoltag.model.package import Package, write_card
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package
from train.__main__ import main
from train.evaluate.shown import shown_from, shown_labels

LABELS = ("bark", "flower", "fruit")


def package(folder: Path, thresholds: dict[str, float], on: str = "probability") -> Package:
    """A package of three labels, some with thresholds."""
    made = write_tiny_package(folder, LABELS, seed=3)
    changes: dict[str, Any] = {"output_kind": "labels", "thresholds": thresholds}
    if thresholds:
        changes["threshold_record"] = {"on": on}
    return write_card(made.path, made.card.model_copy(update=changes))


@pytest.mark.parametrize(
    ("thresholds", "on", "shown", "borders"),
    [
        ({}, "probability", ("flower", "fruit"), (0.5, 0.5, 0.5)),
        ({"flower": 0.9, "bark": 0.2}, "probability", ("bark", "fruit"), (0.2, 0.9, 0.5)),
        ({"flower": 2.0, "bark": -1.0}, "logit", ("bark", "fruit"), (0.26894, 0.88080, 0.5)),
        ({"flower": 1.0}, "logit", ("flower", "fruit"), (0.5, 0.73106, 0.5)),
    ],
)
def test_a_label_is_shown_from_its_threshold_on_or_from_a_half(
    thresholds: dict[str, float], on: str, shown: tuple[str, ...], borders: tuple[float, ...], tmp_path: Path
) -> None:
    card = package(tmp_path / "model", thresholds, on).card
    assert shown_labels(card, np.array([-0.5, 1.0, 0.0], np.float32)) == shown
    found = shown_from(card)
    assert found is not None
    assert list(found) == list(LABELS)
    assert list(found.values()) == pytest.approx(borders, abs=1e-5)


def test_a_model_that_gives_one_of_many_shows_no_list(tmp_path: Path) -> None:
    card = write_tiny_package(tmp_path / "model", LABELS, seed=3).card
    assert shown_labels(card, np.array([9.0, 9.0, 9.0], np.float32)) is None
    assert shown_from(card) is None


def classify(capsys: pytest.CaptureFixture[str], *words: object) -> list[str]:
    """Its lines."""
    capsys.readouterr()
    assert main(["classify", *map(str, words)]) == 0
    return capsys.readouterr().out.splitlines()


def test_classify_tells_all_labels_that_an_image_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = package(tmp_path / "model", {})
    pictures = tmp_path / "pictures"
    for number in range(6):
        save(pictures / f"{number}.jpg", number)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    rows: list[dict[str, Any]] = json.loads("\n".join(classify(capsys, made.path, pictures, "--json")))
    middle = {label: sorted(row["scores"][label] for row in rows)[3] for label in LABELS}
    made = package(tmp_path / "judged", {**middle, "bark": 1.1})  # of two labels half of the pictures, of one none
    words = (made.path, pictures, tmp_path / "broken.jpg")
    rows = json.loads("\n".join(classify(capsys, *words, "--json")))
    wanted = {row["path"]: [label for label in LABELS[1:] if row["scores"][label] >= middle[label]] for row in rows[:6]}
    assert {row["path"]: row["shown"] for row in rows[:6]} == wanted
    assert "shown" not in rows[6]
    assert sorted(map(len, wanted.values()))[0] == 0 or sorted(map(len, wanted.values()))[-1] == 2
    for row in rows[:6]:
        best = sorted(row["scores"].items(), key=lambda item: -item[1])
        assert row["predictions"] == [
            {"label": label, "probability": share, "shown": label in row["shown"]} for label, share in best
        ]
    head, *lines = classify(capsys, *words)
    assert head.split() == ["path", "shows", "label"]
    for line, row in zip(lines[:6], rows, strict=False):
        assert line.split()[1] == ("|".join(row["shown"]) or "none")
        assert line.split()[2::2] == [each["label"] for each in row["predictions"]]
    assert lines[6].split()[1] == "-"


def test_tables_count_and_list_what_images_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = package(tmp_path / "model", {"bark": 1.1, "flower": 0.0, "fruit": 1.1})
    for number in range(4):
        save(tmp_path / "pictures" / f"{number}.jpg", number)
    said = classify(capsys, made.path, tmp_path / "pictures", "--output", tmp_path / "out")
    assert said[1].split() == ["flower", "4"]
    head, *lines = [line.split("\t") for line in (tmp_path / "out/predictions.tsv").read_text().splitlines()]
    assert head == ["path", "labels", "score_bark", "score_flower", "score_fruit", "outcome", "detail"]
    assert [line[1] for line in lines] == ["flower"] * 4
    rows = json.loads("\n".join(classify(capsys, made.path, tmp_path / "pictures", "--json")))
    for line, row in zip(lines, rows, strict=True):
        assert [float(cell) for cell in line[2:5]] == pytest.approx(list(row["scores"].values()), abs=1e-6)
    none = package(tmp_path / "strict", dict.fromkeys(LABELS, 1.1))
    said = classify(capsys, none.path, tmp_path / "pictures", "--output", tmp_path / "out2")
    assert said[1].split() == ["none", "4"]
