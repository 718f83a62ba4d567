"""`evaluate`, `thresholds` and `compare` of packages whose labels are each yes or no by itself."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoltag.model.package import Package, read_package, write_card
from eoltag.settings import FetchSettings
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package
from train.__main__ import main
from train.evaluate.classify import classify
from train.images.sources import find_sources

LABELS = ("flower", "fruit")
COUNT = 60


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Scores that follow the mean colours, with the bias of neither label."""
    made = write_tiny_package(tmp_path_factory.mktemp("package"), LABELS, seed=3)
    return write_card(made.path, made.card.model_copy(update={"output_kind": "labels"}))


@pytest.fixture(scope="module")
def data(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures whose flower is as the model says but in every fifth, and whose fruit is known of half of them."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        save(folder / f"{number}.jpg", number)
    rows = classify(
        package, find_sources([str(folder / f"{number}.jpg") for number in range(COUNT)], ()), FetchSettings()
    )
    borders = {label: float(np.median([row.verdict.scores[label] for row in rows if row.verdict])) for label in LABELS}
    with (folder / "labels.csv").open("w", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("path", "labels", "absent"))
        for number, row in enumerate(rows):
            assert row.verdict is not None
            has = {label: row.verdict.scores[label] >= borders[label] for label in LABELS}
            has["flower"] ^= number % 5 == 0
            known = [label for label in LABELS if label == "flower" or number % 2]
            shown = [label for label in known if has[label]]
            lines.writerow((f"{number}.jpg", "|".join(shown), "|".join(set(known) - set(shown))))
    return folder / "labels.csv"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The document of a verb."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_label_is_measured_over_the_images_whose_answer_is_known(
    package: Package, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(capsys, "evaluate", package.path, data, "--out", tmp_path / "report")
    assert (found["per_label"]["flower"]["known"], found["per_label"]["fruit"]["known"]) == (60, 30)
    assert found["per_label"]["fruit"]["average_precision"] == pytest.approx(1.0)
    assert 0.4 < found["per_label"]["flower"]["average_precision"] < 1
    matrix = found["per_label"]["flower"]
    wrong = [one for one in found["wrong"] if one["label"] == "flower"]
    assert len(wrong) == matrix["false_positives"] + matrix["false_negatives"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert "mean average precision" in page
    rows = (tmp_path / "report" / "predictions.tsv").read_text().splitlines()
    assert rows[0].split("\t")[:6] == ["path", "labels", "absent", "given", "score flower", "score fruit"]
    assert len(rows) == COUNT + 1


def test_the_text_says_average_precision_and_what_is_known(
    package: Package, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(package.path), str(data)]) == 0
    said = capsys.readouterr().out
    assert "of known  average precision" in said
    assert "mean average precision" in said


def test_a_threshold_of_a_label_keeps_the_error_among_all_that_reach_it(
    package: Package, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(capsys, "thresholds", package.path, data, "--max-error", 0.3, "--out", tmp_path / "report")
    sweeps = {row["label"]: row for row in found["sweeps"]["logit"]}
    assert (sweeps["flower"]["given"], sweeps["fruit"]["given"]) == (60, 30)
    assert sweeps["fruit"]["chosen"]["wrong"] <= 0.3 * sweeps["fruit"]["chosen"]["images"]
    assert "logits[" in (tmp_path / "report" / "index.html").read_text()


def test_compare_puts_packages_of_labels_beside_each_other(
    package: Package, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(capsys, "compare", package.path, "--data", data, "--no-speed")
    (row,) = found["models"]
    assert row["average_precision"] > 0.6
    assert row["note"] is None or "not record" in row["note"]


def test_what_is_for_classes_is_refused_in_one_line(
    package: Package, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in (("--slice", "path=1"), ("--map", "flower=fruit")):
        assert main(["evaluate", str(package.path), str(data), *option]) == 2
        assert "is for packages of classes" in capsys.readouterr().err


def test_labels_that_the_package_has_not_are_named(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "0.jpg", 0)
    (tmp_path / "labels.csv").write_text("path,labels,absent\n0.jpg,stem,leaf\n")
    assert main(["evaluate", str(package.path), str(tmp_path / "labels.csv")]) == 2
    assert "classes that are no labels of the package: leaf, stem" in capsys.readouterr().err
    assert read_package(package.path).card.output_kind == "labels"
