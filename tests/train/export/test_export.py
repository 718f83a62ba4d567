"""`python -m train export`: OpenVINO files, and faster precisions only where held-out images prove them."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoltag.model.card import INT8_FILES, KERAS_FILE, OPENVINO_FILES, CardInput
from eoltag.model.engines import load_engine
from eoltag.model.engines.precision import cpu_precisions
from eoltag.model.package import Card, read_package, unpack, write_card
from eoltag.records import Pixels, Scores
from tests.support.colours import SIDE, TRAINED_ON, draw
from train.__main__ import main
from train.export.agreement import LEAST_IMAGES, compare
from train.export.held_out import find_contents, read_pictures
from train.export.quantizing import RECIPES
from train.package.data_table import read_data_table
from train.package.runtimes import predict
from train.records import Split

CARD = Card(card_version=1, name="kind", labels=("bad", "good"), input=CardInput(height=32, width=32), files={})
needs_bf16 = pytest.mark.skipif("bf16" not in cpu_precisions(), reason="this processor has no bfloat16")


def logits(images: int) -> Scores:
    """Clear scores, the labels in turn."""
    return np.tile(np.array([[2.0, -1.0], [-1.0, 2.0]], np.float32), (images // 2 + 1, 1))[:images]


def swapped(scores: Scores, count: int) -> Scores:
    """The first `count` images with the other label."""
    other = scores.copy()
    other[:count] = other[:count, ::-1]
    return other


def export(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """Run the verb; its JSON."""
    assert main(["export", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_least_number_of_images_is_the_first_that_can_show_half_a_percent() -> None:
    assert LEAST_IMAGES == 598
    assert 0.995**598 < 0.05 < 0.995**597


def test_half_a_percent_of_changed_labels_passes_and_one_image_more_does_not() -> None:
    reference = logits(1000)
    passes, fails = (compare(reference, swapped(reference, count), CARD) for count in (5, 6))
    assert passes.is_proven
    assert passes.same_label == 0.995
    assert not fails.is_proven
    assert fails.sentence("int8").startswith("int8: not enabled, 99.40% of the labels agree, 99.5% are wanted (")


def test_perfect_agreement_of_too_few_images_proves_nothing_and_says_how_many_are_wanted() -> None:
    few, enough = (compare(logits(count), logits(count), CARD) for count in (597, 598))
    assert not few.is_proven
    assert "597 held-out images are too few to tell; wanted 598 or more" in few.sentence("bf16")
    assert enough.is_proven


@pytest.mark.parametrize("threshold", [2.005, 0.9529])
def test_a_threshold_that_images_cross_fails_the_gate_in_logits_as_in_probabilities(threshold: float) -> None:
    card = CARD.model_copy(update={"thresholds": {"good": threshold}})
    reference = logits(1000)
    moved = reference.copy()
    moved[:20] *= 1.01  # 10 images of each label: 2.0 becomes 2.02, its probability 0.9526 becomes 0.9539
    found = compare(reference, moved, card)
    assert found.same_label == 1.0
    assert found.flips == {"good": 0.01}
    assert "1.00% of the images change side of the threshold of 'good'" in found.sentence("int8")
    assert compare(reference, reference, card).is_proven


def test_scores_that_are_not_numbers_never_agree() -> None:
    reference = logits(1000)
    other = reference.copy()
    other[:10] = np.nan
    found = compare(reference, other, CARD)
    assert found.same_label == 0.99
    assert not found.is_proven


def test_the_largest_difference_of_a_logit_is_told() -> None:
    other = logits(600)
    other[7, 1] += 0.25
    assert compare(logits(600), other, CARD).largest_logit_difference == 0.25


def test_images_of_the_training_are_told_from_others_by_their_content(
    colour_package: Path, colour_pictures: Path, tmp_path: Path
) -> None:
    package = read_package(colour_package)
    trained = {digest for digest, split in (read_data_table(package) or {}).items() if split is Split.TRAIN}
    assert len(trained) == TRAINED_ON
    shutil.copytree(colour_pictures, tmp_path / "all")
    shutil.copy(colour_pictures / "0100.png", tmp_path / "all" / "copy_of_0100.png")
    (tmp_path / "all" / "notes.txt").write_text("no image")
    held = read_pictures(
        find_contents([tmp_path / "all"], lambda digest: digest not in trained), package.card.spec, 1000
    )
    assert held.pixels.shape == (600, SIDE, SIDE, 3)
    assert not set(held.sha256) & trained
    part = read_pictures(find_contents([tmp_path / "all"], trained.__contains__), package.card.spec, 50)
    assert set(part.sha256) == trained


def test_int8_and_bf16_that_agree_are_enabled_and_the_version_stays(proven_package: Path, colour_package: Path) -> None:
    before, after = read_package(colour_package), read_package(proven_package)
    assert after.version == before.version
    assert after.card.precision.model_dump() == {"bf16": True, "int8": True, "keras_bf16": True}
    assert set(after.card.files) == {*before.card.files, *INT8_FILES}
    measured = after.card.metrics["precision"]
    assert set(measured) == {"int8", "bf16", "keras_bf16"}
    for found in measured.values():
        assert found["images"] == 600
        assert found["same_label"] == 1.0
        assert 0 < found["largest_logit_difference"] < 2
    int8 = measured["int8"]
    assert int8["margin"] == after.card.int8_margin > 0
    assert int8["recipe"] in {recipe.name for recipe in RECIPES}
    assert (int8["calibration_images"], int8["control_images"], int8["rescored"]) == (32, 8, 0)
    assert set(int8["cpu_ms_per_image"]) == {"f32", "int8"}


def hard(tmp_path: Path) -> Path:
    """600 pictures in which the channels are nearly alike: small errors change labels."""
    draw(tmp_path / "hard", 600, contrast=0, seed=2)
    return tmp_path / "hard"


@needs_bf16
def test_a_precision_that_fails_is_measured_and_not_enabled(
    proven_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    done = export(
        capsys,
        proven_package,
        "--int8",
        "--bf16",
        "--calibration",
        proven_package.parent / "easy",
        "--held-out",
        hard(tmp_path),
        "--out",
        tmp_path / "out",
    )
    assert done["precision"] == {"bf16": False, "int8": False, "keras_bf16": False}
    assert done["measured"]["bf16"]["same_label"] < 0.995
    assert done["measured"]["int8"]["rescored"] > 0.25
    assert "of the images are close calls, 25% at most are wanted" in done["said"][0]
    assert "bf16: not enabled, " in done["said"][1]
    package = read_package(tmp_path / "out")
    assert package.card.metrics["precision"]["int8"]["is_proven"] is False
    assert package.card.int8_margin == 0
    assert not set(package.card.files) & set(INT8_FILES)
    assert package.version == read_package(proven_package).version
    assert caplog.handler.level == logging.NOTSET  # the quantizing library is kept quiet, and no one else


def test_images_are_counted_before_anything_is_decoded_or_calibrated(
    colour_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Decoded(Exception):
        """The work has begun."""

    def begin(*_: object) -> None:
        raise Decoded

    monkeypatch.setattr("train.export.run.read_pictures", begin)
    easy, out = str(colour_package.parent / "easy"), str(tmp_path / "out")
    with pytest.raises(Decoded):
        main(["export", str(colour_package), "--int8", "--held-out", easy, "--most-images", "100", "--out", out])
    said = "100 held-out images, 40 to calibrate with; 598 are the least for a proof: there will be figures only"
    assert said in capsys.readouterr().err


@needs_bf16
def test_too_few_images_leave_it_off(colour_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = export(
        capsys,
        colour_package,
        "--bf16",
        "--held-out",
        colour_package.parent / "easy",
        "--most-images",
        100,
        "--out",
        tmp_path / "out",
    )
    assert done["precision"]["bf16"] is False
    assert "100 held-out images are too few to tell" in done["said"][0]


def test_without_options_missing_openvino_files_are_made_and_score_as_keras_does(
    colour_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = read_package(colour_package)
    folder = tmp_path / "keras_only"
    folder.mkdir()
    shutil.copy(package.path / KERAS_FILE, folder)
    write_card(folder, package.card)
    assert main(["export", str(folder)]) == 0
    assert "predicts every image anew" in capsys.readouterr().out
    made = read_package(folder)
    assert made.engines == ("openvino", "keras")
    assert made.version == package.version
    batch: Pixels = np.random.default_rng(5).integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    by_engine = [
        load_engine(name, unpack(made.pack(name)), batch_size=4, threads=1, keras_backend="tensorflow").predict(batch)
        for name in made.engines
    ]
    np.testing.assert_allclose(*by_engine, atol=1e-4)


def test_what_is_there_stays_as_it_is_unless_it_is_to_be_renewed(
    proven_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = export(capsys, proven_package, "--out", tmp_path / "kept")
    assert kept["precision"] == {"bf16": True, "int8": True, "keras_bf16": True}
    renewed = export(capsys, proven_package, "--renew", "--out", tmp_path / "renewed")
    assert renewed["precision"] == {"bf16": False, "int8": False, "keras_bf16": True}
    assert not set(read_package(tmp_path / "renewed").card.files) & set(INT8_FILES)
    for name in OPENVINO_FILES:
        assert (tmp_path / "kept" / name).read_bytes() == (proven_package / name).read_bytes()


def test_a_saved_model_gives_the_logits_of_the_package(colour_package: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    assert main(["export", str(colour_package), "--saved-model", str(tmp_path / "saved")]) == 0
    package = read_package(colour_package)
    pixels = np.random.default_rng(4).integers(0, 256, (5, 16, 16, 3), np.uint8)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(
        np.asarray(loaded.serve(pixels)), predict(package, "keras", pixels), rtol=1e-4, atol=1e-4
    )
    assert (tmp_path / "saved/labels.txt").read_text().split() == list(package.card.labels)
    assert main(["export", str(colour_package), "--saved-model", str(tmp_path / "saved")]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["PACKAGE", "--int8"], "--int8 and --bf16 are proven on images: wanted --held-out DIR"),
        (["PACKAGE", "--bf16", "--held-out", "gone"], "gone: wanted a folder of images. Received: no such folder"),
        (["PACKAGE", "--bf16", "--held-out", "empty"], "598 or more images that the package was not trained on. R"),
        (["PACKAGE", "--int8", "--held-out", "hard"], "wanted 40 or more images that the package was trained on"),
        (["UNKNOWN", "--int8", "--held-out", "hard"], "does not say what it was trained on (no data.tsv)"),
        (["PACKAGE", "--most-images", "0"], "--most-images: wanted 1 or more. Received: 0"),
        (["PACKAGE", "--out", "hard"], "holds other files and is no model package"),
        (["NO_KERAS", "--saved-model", "saved"], "--saved-model is made from model.keras, which this package lacks"),
        (["PACKAGE", "--saved-model", "hard"], "holds other files and no saved_model.pb"),
        (["PACKAGE", "--saved-model", "saved", "--int8"], "--saved-model writes a SavedModel alone"),
        (["NO_KERAS", "--renew"], "--renew makes OpenVINO files from model.keras, which this package lacks"),
        (["empty"], "empty: not a model package"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_changes_nothing(
    arguments: list[str],
    said: str,
    colour_package: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    draw(tmp_path / "hard", 3, contrast=0, seed=2)
    card = read_package(colour_package).card
    for name, left_out in (("PACKAGE", ""), ("UNKNOWN", "data.tsv"), ("NO_KERAS", KERAS_FILE)):
        shutil.copytree(colour_package, tmp_path / name, ignore=shutil.ignore_patterns("card.json", left_out))
        write_card(tmp_path / name, card)
    cards = {path: path.read_bytes() for path in tmp_path.rglob("card.json")}
    assert main(["export", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert {path: path.read_bytes() for path in tmp_path.rglob("card.json")} == cards
