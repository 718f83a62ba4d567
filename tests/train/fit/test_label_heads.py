"""Heads of several labels: what is unknown has no part, and calibrated logits are what every engine gives."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eoltag.model.engines import load_head
from eoltag.model.outputs.labels import sigmoid
from eoltag.model.package import unpack
from tests.support.stored_features import StoredOutput, content_of
from train.__main__ import main
from train.evaluate.labels.calibration import fit_platt
from train.evaluate.labels.metrics import measure_labels
from train.fit.attempts import find_package
from train.fit.outputs import TRAINED_KINDS
from train.settings import FitSettings

LABELS = ("flower", "fruit")
LENGTH = 6
COUNT = 120
KIND = TRAINED_KINDS["labels"]


def drawn(count: int) -> tuple[Any, Any]:
    """Features (N, D), the first of which tells flowers and the second fruits; and the whole truth (N, 2)."""
    rng = np.random.default_rng(0)
    truth = (rng.random((count, 2)) < (0.5, 0.3)).astype(np.float32)
    features = rng.normal(0, 0.6, (count, LENGTH)).astype(np.float32)
    features[:, :2] += 2 * truth - 1
    return features, truth


def test_a_solved_head_is_that_of_the_known_answers_alone() -> None:
    features, truth = drawn(COUNT)
    answers = truth.copy()
    answers[::3, 1] = np.nan
    settings = FitSettings(output="labels")
    lied = np.where(np.isnan(answers), 1 - truth, answers)
    unknown = KIND.targets(settings, answers, LABELS, np.arange(COUNT))
    found = KIND.solve(settings, features[None], unknown)
    known = ~np.isnan(answers[:, 1])
    alone = KIND.solve(
        settings, features[None, known], KIND.targets(settings, answers[known], LABELS, np.arange(known.sum()))
    )
    np.testing.assert_allclose(found.kernel[:, 1], alone.kernel[:, 1], atol=1e-3)
    wrong = KIND.solve(settings, features[None], KIND.targets(settings, lied, LABELS, np.arange(COUNT)))
    assert np.abs(wrong.kernel[:, 1] - found.kernel[:, 1]).max() > 0.3
    assert found.kernel[0, 0] > 1 > abs(found.kernel[1, 0])


def test_platt_scaling_makes_bold_and_shifted_logits_honest() -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(0, 2, (4000, 2))
    answers = (rng.random((4000, 2)) < sigmoid(honest.astype(np.float32), 1.0)).astype(np.float32)
    answers[:100, 0] = np.nan
    bold = 3 * honest + (1.5, 0)
    line = fit_platt(bold, answers)
    np.testing.assert_allclose(line.slopes, [1 / 3, 1 / 3], rtol=0.1)
    np.testing.assert_allclose(line.offsets, [-0.5, 0.0], atol=0.1)
    report = line.document(bold, answers, LABELS)
    for label in LABELS:
        assert report[label]["error_after"] < 0.03 < report[label]["error_before"]
        assert report[label]["loss_after"] < report[label]["loss_before"]


def test_a_label_with_few_answers_keeps_its_logits() -> None:
    answers = np.array([[1], [0], [0], [0], [0], [0]], np.float32)
    line = fit_platt(np.array([[3.0], [1], [0], [-1], [-2], [-3]]), answers)
    assert (line.slopes.tolist(), line.offsets.tolist()) == ([1.0], [0.0])


def test_a_line_that_does_not_help_on_other_images_is_not_drawn() -> None:
    rng = np.random.default_rng(2)
    answers = np.repeat([[1.0], [0.0]], 20, axis=0).astype(np.float32)
    clear = rng.normal(5, 0.5, (40, 1)) * (2 * answers - 1)
    assert fit_platt(clear, answers).slopes.tolist() == [1.0]
    assert fit_platt(clear - 4, answers).offsets[0] > 1


def test_measures_count_known_answers_only() -> None:
    probabilities = np.array([[0.9, 0.2], [0.8, 0.6], [0.4, 0.7], [0.1, 0.1]], np.float32)
    answers = np.array([[1, np.nan], [0, 1], [1, 1], [0, 0]], np.float32)
    flower, fruit = (one.document() for one in measure_labels(probabilities, answers, LABELS))
    assert (flower["precision"], flower["recall"], flower["f1"]) == (0.5, 0.5, 0.5)
    assert flower["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert (fruit["precision"], fruit["recall"], fruit["average_precision"]) == (1.0, 1.0, 1.0)
    assert (fruit["known"], fruit["unknown"], fruit["support"]) == (3, 1, 2)


def test_the_loss_of_a_step_is_that_of_the_known_answers() -> None:
    from train.cli import start_keras

    start_keras()
    answers = np.array([[1, np.nan], [0, 1], [1, 0]], np.float32)
    logits = np.array([[0.3, 9.0], [-1.0, 0.5], [2.0, -0.2]], np.float32)
    targets = KIND.targets(FitSettings(output="labels"), answers, LABELS, np.arange(3))
    losses = np.asarray(KIND.loss(FitSettings(output="labels"))(targets.values, logits))
    loss, accuracy = KIND.validate(logits, answers)
    assert float(losses.mean()) == pytest.approx(loss, rel=1e-5)
    assert accuracy == 1.0
    assert np.asarray(KIND.metric()(targets.values, logits)).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("solver", ["auto", "epochs"])
def test_a_head_of_several_labels_from_stored_features_gives_calibrated_logits_in_every_engine(
    solver: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features, truth = drawn(COUNT)
    contents = [content_of(number) for number in range(COUNT)]
    output = StoredOutput(tmp_path / "output")
    output.add_features("bioclip-2", contents, features)
    output.add_images(contents)
    with (tmp_path / "labels.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("content_sha256", "labels", "absent"))
        for number, (content, row) in enumerate(zip(contents, truth, strict=True)):
            shown = [label for label, value in zip(LABELS, row, strict=True) if value]
            rows.writerow((content, "|".join(shown), "" if number % 10 == 0 and shown else "*"))
    (tmp_path / "head.toml").write_text(
        f'output = "labels"\nfeatures_of = "bioclip-2"\nclass_weights = "balanced"\nhead_solver = "{solver}"\n'
        "learning_rate = 0.1\nepochs = 30\nvalidation_fraction = 0.4\n"
    )
    asked = ["fit", tmp_path / "head.toml", "--features", output.root, "--labels", tmp_path / "labels.csv"]
    assert main([*map(str, asked), "--out", str(tmp_path / "out"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    package = find_package(tmp_path / "out")
    card = package.card
    assert (card.output_kind, card.labels, card.temperature) == ("labels", LABELS, 1.0)
    assert summary["metrics"]["mean_average_precision"] > 0.9
    assert card.metrics["engines_differ_by"] < 1e-4
    by_engine = [
        load_head(
            engine, unpack(package.pack(engine, part="head")), batch_size=8, threads=1, keras_backend="tensorflow"
        )
        for engine in ("openvino", "keras")
    ]
    logits = [engine.logits(features) for engine in by_engine]
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-4)
    refitted = fit_platt(logits[0], truth)
    np.testing.assert_allclose(refitted.slopes, 1.0, atol=0.6)  # on other images than those of the fit
    text = (package.path / "README.md").read_text()
    assert "Mean average precision" in text
    assert "| flower | " in text


def test_a_network_from_nothing_learns_from_folders_that_share_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for number in range(48):
        shown = (["none"], ["bright"], ["red"], ["bright", "red"])[number % 4]
        base = np.full((32, 32, 3), 150 if "bright" in shown else 40, np.uint8)
        base[..., 0] += 90 if "red" in shown else 0
        noisy = np.clip(base + rng.integers(-30, 30, base.shape), 0, 255).astype(np.uint8)
        for label in shown:
            path = tmp_path / "data" / label / f"{number} in {label}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noisy).save(path)
    (tmp_path / "net.toml").write_text(
        'output = "labels"\nimage_size_px = 32\nfirst_filters = 8\nepochs = 12\nbatch_size = 8\nlearning_rate = 3e-3\n'
        "validation_fraction = 0.3\n"
    )
    asked = ["fit", tmp_path / "net.toml", "--data", tmp_path / "data", "--out", tmp_path / "out"]
    assert main([*map(str, asked), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert sum(summary["images"].values()) == 48
    assert summary["labels"] == ["bright", "red"]
    assert summary["metrics"]["engines_differ_by"] < 1e-4
    assert summary["metrics"]["mean_average_precision"] > 0.8
    code = main([*map(str, asked), "--set", "output=classes", "--from", str(tmp_path / "out")])
    assert code == 2
