"""The parts of `fit` that need no network: splits, changed copies, pacing, temperature, weights of classes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eoltag.errors import DataError, SettingsError
from eoltag.records import InputSpec
from tests.support.pictures import picture, save
from train.data.augment import ONLINE_SETS, augment
from train.data.class_weights import loss_weights
from train.data.dataset import read_dataset, split, training_images
from train.evaluate.calibration import calibrate
from train.fit.preview import draw_preview
from train.optimization.optimizer import learning_rate
from train.records import Split
from train.settings import FitSettings

SPEC = InputSpec(64, 64, "stretch", "bilinear")


def classes(folder: Path, counts: dict[str, int]) -> Path:
    """That many different pictures of each label."""
    for at, (label, count) in enumerate(counts.items()):
        for number in range(count):
            save(folder / label / f"{number}.jpg", 1000 * at + number)
    return folder


def test_a_folder_that_is_split_is_used_as_it_is(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "val", "test")):
        for label in ("one", "two"):
            for at in range(3 - number):
                save(tmp_path / part / label / f"{at}.jpg", 100 * number + 10 * at + len(label) * (label == "two"))
    dataset = read_dataset(tmp_path, SPEC)
    train, validation = split(dataset, 0.5, 0)
    assert {dataset.examples[row].image.split for row in train} == {Split.TRAIN}
    assert {dataset.examples[row].image.split for row in validation} == {Split.VAL}
    assert (len(train), len(validation), dataset.labels) == (6, 4, ("one", "two"))


def test_a_copy_never_straddles_however_it_was_saved(tmp_path: Path) -> None:
    folder = classes(tmp_path, {"one": 8, "two": 8})
    for number in range(4):
        picture(number).resize((96, 72)).save(folder / "one" / f"larger {number}.png")
        picture(number).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "one" / f"mirrored {number}.png")
    dataset = read_dataset(folder, SPEC)
    for seed in range(4):
        held = {dataset.examples[row].image.shown for row in split(dataset, 0.4, seed)[1]}
        for number in range(4):
            family = {f"one/{name}" for name in (f"{number}.jpg", f"larger {number}.png", f"mirrored {number}.png")}
            assert held & family in (set(), family)


def test_a_class_of_one_picture_alone_is_refused(tmp_path: Path) -> None:
    folder = classes(tmp_path, {"one": 4, "two": 1})
    for size in (48, 80):
        picture(1000).resize((size, size)).save(folder / "two" / f"{size}.png")
    with pytest.raises(DataError, match="no image of 'two' is left to"):
        split(read_dataset(folder, SPEC), 0.3, 0)


def test_an_empty_class_is_refused_by_name(tmp_path: Path) -> None:
    classes(tmp_path, {"one": 2, "two": 2})
    (tmp_path / "three").mkdir()
    with pytest.raises(DataError, match=r"three: wanted images of 'three'. Received: none"):
        training_images(tmp_path)


@pytest.mark.parametrize("name", ONLINE_SETS)
def test_a_changed_copy_depends_on_the_seed_and_the_image_alone(name: str) -> None:
    pixels = np.stack([np.asarray(picture(number, (32, 32))) for number in range(4)])
    rows = np.array([7, 3, 11, 5])
    copies = augment(pixels, name, (1, 2), rows)  # type: ignore[arg-type]
    assert copies.dtype == np.uint8
    assert all((copy != old).any() for copy, old in zip(copies, pixels, strict=True))
    alone = augment(pixels[2:3], name, (1, 2), rows[2:3])  # type: ignore[arg-type]
    assert (alone[0] == copies[2]).all()
    assert (augment(pixels, name, (1, 3), rows) != copies).any()  # type: ignore[arg-type]


def test_mirroring_and_brightness_keep_to_their_ranges() -> None:
    grey = np.full((200, 16, 16, 3), 100, np.uint8)
    means = augment(grey, "peetz", (0,), np.arange(200)).mean(axis=(1, 2, 3))
    assert 89 <= means.min() < 93
    assert 107 < means.max() <= 110


def test_a_preview_shows_each_label_and_its_copies(tmp_path: Path) -> None:
    folder = classes(tmp_path / "data", {"one": 2, "two": 2})
    settings = FitSettings(augmentation="photo", image_size_px=64)
    assert draw_preview(settings, folder, tmp_path / "sheet.png") == 16
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 164 + 12 - 4, 20 + 2 * 184)
    with pytest.raises(SettingsError, match="augmentation is off"):
        draw_preview(FitSettings(), folder, tmp_path / "none.png")


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    settings = FitSettings(schedule="cosine", warmup_epochs=1)
    rates = [learning_rate(settings, 1.0, step, 4, 3) for step in range(12)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[8] == pytest.approx(0.5)
    assert rates == sorted(rates[:5]) + sorted(rates[5:], reverse=True)
    assert learning_rate(FitSettings(), 0.1, 99, 4, 3) == 0.1


def test_the_temperature_makes_bold_scores_honest() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 3000)
    honest = rng.normal(size=(3000, 3)) + 2.0 * np.eye(3)[targets]
    # The likelihood ratio of these scores is 2 to them.
    raw, fitted = calibrate((4 * 2 * honest).astype(np.float32), targets)
    assert fitted.temperature == pytest.approx(4.0, rel=0.1)
    assert fitted.ece < 0.03 < raw.ece
    assert fitted.nll < raw.nll


def test_a_model_that_is_always_right_gets_no_temperature_of_nothing() -> None:
    _, fitted = calibrate(np.array([[1.0, 0.0], [0.0, 1.0]] * 10, np.float32), np.array([0, 1] * 10))
    # 21/22 for the right label of 20 images: a temperature of 1 / ln(21).
    assert fitted.temperature == pytest.approx(1 / np.log(21), rel=1e-3)


def test_rare_classes_count_more_where_that_is_asked_for(tmp_path: Path) -> None:
    dataset = read_dataset(classes(tmp_path / "data", {"one": 6, "two": 2}), SPEC)
    train = np.arange(8)
    assert set(loss_weights("off", dataset.answers, dataset.labels, train).tolist()) == {1.0}
    assert sorted(set(loss_weights("balanced", dataset.answers, dataset.labels, train).tolist())) == pytest.approx(
        [2 / 3, 2.0]
    )
    path = tmp_path / "class_weights.json"
    path.write_text(json.dumps({"two": 3, "one": 0.5}))
    assert loss_weights(str(path), dataset.answers, dataset.labels, train)[dataset.targets == 1].tolist() == [3.0, 3.0]
    path.write_text(json.dumps({"one": 0.5}))
    with pytest.raises(SettingsError, match=r"wanted a weight for each of one, two. Received: one"):
        loss_weights(str(path), dataset.answers, dataset.labels, train)
    path.write_text("[1]")
    with pytest.raises(SettingsError, match="wanted an object of label to a number above 0"):
        loss_weights(str(path), dataset.answers, dataset.labels, train)
