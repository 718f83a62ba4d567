"""`python -m train compare`: models side by side, with a dash for what nobody knows."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from eoltag.model.package import Package, read_package, write_card
from train.__main__ import main
from train.compare.report import make_table, markdown, terminal
from train.compare.run import Contender, by_architecture


def compare(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The document of `python -m train compare ... --json`."""
    capsys.readouterr()
    assert main(["compare", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a mistake is answered with."""
    capsys.readouterr()
    assert main(["compare", *map(str, arguments)]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def copy_of(package: Path, to: Path, **changes: Any) -> Package:
    """The same model with another card."""
    shutil.copytree(package, to)
    return write_card(to, read_package(to).card.model_copy(update=changes))


COSTS = {"seconds_per_epoch": {"head": 0.25, "tuning": 2.5}, "peak_memory_bytes": 2_500_000_000}


@pytest.fixture(scope="module")
def runs(small_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three attempts: as fit wrote it, with more on its card and other labels, and one that did not finish."""
    root = tmp_path_factory.mktemp("runs")
    copy_of(small_package, root / "001" / "package")
    card = read_package(small_package).card
    copy_of(
        small_package,
        root / "002" / "package",
        name="wide | <b>",
        labels=("a", "b", "c", "d", "e"),
        hyperparameters={**card.hyperparameters, "architecture": "vgg"},
        metrics={"val_accuracy": 0.99, "training": COSTS},
    )
    (root / "010").mkdir()
    (root / "010" / "config.toml").write_text("")
    return root


def test_the_cards_alone_make_a_table(runs: Path, small_package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compare(capsys, runs, "--no-speed")
    first, second, third = found["models"]
    card = read_package(small_package).card
    assert [Path(row["path"]).name for row in found["models"]] == ["001", "002", "010"]
    assert (first["architecture"], first["parameters"]) == ("scratch", card.hyperparameters["parameters"])
    assert first["val_accuracy"] == pytest.approx(card.metrics["val_accuracy"])
    assert first["size_mb"]["keras"] == pytest.approx((small_package / "model.keras").stat().st_size / 1e6)
    f1 = [row["f1"] for row in card.metrics["per_class"].values()]
    assert first["val_macro_f1"] == pytest.approx(sum(f1) / 5)
    assert first["accuracy"] is None
    assert (second["seconds_per_epoch"], second["peak_memory_mb"]) == (COSTS["seconds_per_epoch"], 2500.0)
    assert second["val_macro_f1"] is None
    assert (third["note"], third["model_version"], third["images_per_s"]) == ("not finished", None, {})


def test_all_are_judged_on_the_same_images_and_other_labels_are_a_note(
    runs: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compare(capsys, runs, "--data", sample_images, "--no-speed")
    first, second, third = found["models"]
    assert main(["evaluate", str(runs / "001"), str(sample_images), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert (first["accuracy"], first["macro_f1"]) == (alone["accuracy"], alone["macro_f1"])
    assert (first["accuracy_interval"], first["in_training"]) == (
        alone["accuracy_interval"],
        alone["images"]["in_training"],
    )
    assert "classes that are no labels of the package: herbarium_sheet" in second["note"]
    assert (second["accuracy"], third["accuracy"]) == (None, None)
    held = compare(capsys, runs / "001", "--data", sample_images, "--split", "validation", "--no-speed")["models"][0]
    assert held["accuracy"] == pytest.approx(held["val_accuracy"])


def test_speed_is_measured_for_each_engine(small_package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = compare(capsys, small_package)["models"]
    assert sorted(found["images_per_s"]) == ["keras", "openvino"]
    assert min(found["images_per_s"].values()) > 1


def test_architectures_are_summed_up_over_their_models() -> None:
    package = Package(Path("p"), None, "v")  # type: ignore[arg-type]
    rows = [
        Contender("1", package, architecture="vgg", val_accuracy=0.7, val_macro_f1=0.6),
        Contender("2", package, architecture="vgg", val_accuracy=0.9, accuracy=0.8, macro_f1=0.8),
        Contender("3", package, architecture="scratch", val_accuracy=0.95),
        Contender("4", architecture="scratch", note="not finished"),
    ]
    scratch, vgg = by_architecture(rows)
    assert (scratch["architecture"], scratch["models"], scratch["accuracy_sd"]) == ("scratch", 1, None)
    assert (vgg["accuracy"], vgg["best_accuracy"]) == (pytest.approx(0.75), 0.8)
    assert vgg["accuracy_sd"] == pytest.approx(0.0707, abs=1e-4)
    assert vgg["macro_f1"] == pytest.approx(0.7)


def test_what_is_not_known_is_a_dash_and_what_nobody_knows_no_column() -> None:
    rows = [
        Contender(
            "a|b", None, val_accuracy=0.5, seconds_per_epoch={"": 2.0}, parameters=2000, images_per_s={"openvino": 40.0}
        ),
        Contender("c", None, val_accuracy=0.75, images_per_s={"openvino": 10.0, "keras": 5.0}),
    ]
    table = make_table(rows)
    assert table.titles == [
        *("model", "val. accuracy", "parameters", "s/epoch", "img/s openvino", "× openvino"),
        *("img/s keras", "× keras"),
    ]
    assert table.rows == [
        ["a|b", "0.5000", "2,000", "2.00", "40", "1.00", "–", "–"],
        ["c", "0.7500", "–", "–", "10", "0.25", "5", "0.12"],
    ]
    assert markdown(table).splitlines()[2] == r"| a\|b | 0.5000 | 2,000 | 2.00 | **40** | 1.00 | – | – |"
    assert terminal(table).splitlines()[2].split() == ["c", "0.7500*", "–", "–", "10", "0.25", "5", "0.12"]


def test_the_report_is_a_page_markdown_and_json(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    found = compare(capsys, runs, "--no-speed", "--out", out)
    assert json.loads((out / "compare.json").read_text("utf-8")) == found
    page = (out / "index.html").read_text("utf-8")
    assert "head 0.25, tuning 2.50" in page
    assert re.search(r'class="text">vgg</td><td>1</td><td>99\.0 %', page)
    lines = (out / "compare.md").read_text("utf-8").splitlines()
    assert {line.count(" | ") for line in lines[:5]} == {lines[0].count(" | ")}
    assert lines[5:] == ["", f"- {runs / '010'}: not finished"]
    assert f"<li>{runs / '010'}: not finished</li>" in page
    assert "holds a report already" in refused(capsys, runs, "--no-speed", "--out", out)


def test_a_mistake_is_one_line(
    runs: Path, sample_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "wanted a model package, an attempt, or a folder of attempts" in refused(capsys, tmp_path)
    assert "wanted --data DIR as well" in refused(capsys, runs, "--split", "val")
    line = refused(capsys, runs / "002", "--data", sample_images, "--no-speed")
    assert "no model could be evaluated on it" in line
