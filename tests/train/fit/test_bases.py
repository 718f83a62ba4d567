"""A base that a training left as it was lies in the package apart from its head, and is the same for every training."""

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from eoltag.model.card import (
    BASE_KERAS_FILE,
    BASE_OPENVINO_FILES,
    HEAD_KERAS_FILE,
    HEAD_OPENVINO_FILES,
    KERAS_FILE,
)
from eoltag.model.engines import load_base, load_head
from eoltag.model.package import Package, read_package, unpack, write_card
from eoltag.records import InputSpec
from tests.support.bases import HEAD_CONFIG, SIDE_PX, save_base_weights
from tests.support.pictures import save, save_two_classes
from train.__main__ import main
from train.fit.attempts import find_package
from train.fit.loop import start_network
from train.package.bases import PART_FILES, base_version, has_untouched_base, keep_base, noise_pictures
from train.package.runtimes import Comparison, predict
from train.settings import FitSettings

OPTIONS: dict[str, Any] = {"batch_size": 16, "threads": 1, "keras_backend": "tensorflow"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of pictures with other labels, weights and settings; what is trained goes here too."""
    root = tmp_path_factory.mktemp("bases")
    save_base_weights(root / "small.weights.h5")
    save_two_classes(root / "pictures", 6)
    for number in range(12):
        save(root / "others" / ("leaf", "map", "seed")[number % 3] / f"{number}.jpg", 200 + number)
    (root / "head.toml").write_text(HEAD_CONFIG)
    return root


def fit(folder: Path, pictures: str, out: str, *more: str) -> Package:
    """A package that `fit` made on the small base."""
    words = ["fit", str(folder / "head.toml"), "--data", str(folder / pictures), "--out", str(folder / out)]
    weights = str(folder / "small.weights.h5")
    assert main([*words, "--weights", weights, *(word for change in more for word in ("--set", change))]) == 0
    return find_package(folder / out)


@pytest.fixture(scope="module")
def one(folder: Path) -> Package:
    """Two labels."""
    return fit(folder, "pictures", "one")


@pytest.fixture(scope="module")
def other(folder: Path) -> Package:
    """Three labels, and other settings of the head."""
    return fit(folder, "others", "other", "seed=7", "dropout=0.5", "head_units=[6]", "head_batch_norm=input", "l2=0.01")


def test_trainings_of_other_heads_name_the_same_base(one: Package, other: Package) -> None:
    assert one.has_base
    assert set(PART_FILES) <= set(one.card.files)
    assert one.card.feature_length == 256
    assert one.card.base_version == other.card.base_version
    assert one.version != other.version
    assert f"Base `{one.card.base_version}` and head lie apart as well" in (one.path / "README.md").read_text()


@pytest.mark.parametrize("engine", ["keras", "openvino"])
def test_the_base_of_one_and_the_head_of_another_score_as_the_whole_of_the_other(
    one: Package, other: Package, engine: Any
) -> None:
    pixels = noise_pictures(InputSpec(SIDE_PX, SIDE_PX, "stretch", "bilinear"), 5)
    base = load_base(engine, unpack(one.pack(engine, part="base")), **OPTIONS)
    head = load_head(engine, unpack(other.pack(engine, part="head")), **OPTIONS)
    wanted = predict(other, engine, pixels)
    assert (base.name, head.name) == (f"{engine}-f32", f"{engine}-f32")
    features = base.features(pixels)
    assert features.std(axis=0).max() > 0.01
    np.testing.assert_allclose(head.logits(features), wanted, atol=1e-4)
    np.testing.assert_allclose(head.logits(features.astype(np.float16)), wanted, atol=1e-2)


def test_the_card_holds_what_was_measured(one: Package) -> None:
    proof = one.card.metrics["base"]
    assert (proof["base_version"], proof["is_proven"], proof["images"]) == (one.card.base_version, True, 2)
    assert 0 <= proof["difference"] <= 1e-4
    assert 0 < proof["float16_difference"] <= 1e-2
    assert proof["file_bytes"] == sum((one.path / name).stat().st_size for name in PART_FILES)


def test_a_base_is_the_same_however_its_layers_came_to_be_named(one: Package, folder: Path) -> None:
    settings = FitSettings(
        architecture="mobilenet", alpha=0.25, image_size_px=SIDE_PX, weights=str(folder / "small.weights.h5")
    )
    fresh = start_network(settings, 9).features
    stored = keras.saving.load_model(one.path / BASE_KERAS_FILE, compile=False)
    renamed = keras.models.clone_model(stored, clone_function=_renamed)
    renamed.set_weights(stored.get_weights())
    for base in (fresh, stored, renamed, keras.saving.load_model(one.path / KERAS_FILE).get_layer("features")):
        assert base_version(base, settings.spec) == one.card.base_version
    assert renamed.layers[1].name != stored.layers[1].name


def _renamed(layer: Any) -> Any:
    return type(layer).from_config({**layer.get_config(), "name": f"another_{layer.name}"})


@pytest.mark.parametrize(
    "change",
    [{"pooling": "max"}, {"image_size_px": 48}, {"fit": "crop"}, {"resample": "bicubic"}, {"weights": "another"}],
    ids=str,
)
def test_whatever_decides_a_feature_makes_another_base(one: Package, folder: Path, change: dict[str, Any]) -> None:
    if "weights" in change:
        change = {"weights": str(save_base_weights(folder / "another.weights.h5", seed=6))}
    plain = {"alpha": 0.25, "image_size_px": SIDE_PX, "weights": str(folder / "small.weights.h5")}
    settings = FitSettings.model_validate({"architecture": "mobilenet", **plain, **change})
    assert base_version(start_network(settings, 2).features, settings.spec) != one.card.base_version


def test_another_scaling_of_the_pictures_makes_another_base() -> None:
    versions = set()
    for offset in (0.0, -1.0):
        pixels = keras.Input((8, 8, 3), dtype="uint8")
        scaled = keras.layers.Rescaling(1 / 127.5, offset=offset)(pixels)
        network = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(scaled))
        versions.add(base_version(network, InputSpec(8, 8, "stretch", "bilinear")))
    assert len(versions) == 2


def test_a_base_that_does_not_score_as_the_whole_is_taken_away_and_that_is_said(one: Package, folder: Path) -> None:
    doubtful = folder / "doubtful"
    shutil.copytree(one.path, doubtful)
    unnamed = one.card.model_copy(update={"base_version": "", "feature_length": 0})
    pixels = noise_pictures(one.card.spec, 3)
    whole = Comparison(pixels, {"openvino": predict(one, "openvino", pixels) + 1e-3}, 0.0)
    model = keras.saving.load_model(one.path / KERAS_FILE, compile=False)
    card, proof = keep_base(doubtful, unnamed, model, whole)
    assert 1e-4 < proof.difference < 2e-3
    assert "base: not kept apart from its head, they differ from the whole by up to 0.00" in proof.sentence()
    assert (card.base_version, card.feature_length, card.metrics["base"]["is_proven"]) == ("", 0, False)
    assert not (doubtful / HEAD_KERAS_FILE).exists()
    package = write_card(doubtful, card)
    assert not package.has_base
    assert not set(PART_FILES) & set(package.card.files)


@pytest.mark.parametrize(
    ("made_with", "is_untouched"),
    [
        ({"architecture": "mobilenet", "weights": "imagenet", "fine_tune_epochs": 0}, True),
        ({"architecture": "mobilenet", "weights": "imagenet", "fine_tune_epochs": 3}, False),
        ({"architecture": "mobilenet", "weights": "none", "fine_tune_epochs": 0}, False),
        ({"architecture": "scratch", "weights": "none", "fine_tune_epochs": 0}, False),
        ({}, False),
    ],
)
def test_a_base_is_untouched_where_nothing_but_the_head_was_trained(
    one: Package, made_with: dict[str, Any], is_untouched: bool
) -> None:
    assert has_untouched_base(one.card.model_copy(update={"hyperparameters": made_with})) is is_untouched


def test_export_gives_a_package_from_before_its_base_and_leaves_its_version(
    one: Package, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = folder / "before"
    shutil.copytree(one.path, before)
    for name in PART_FILES:
        (before / name).unlink()
    write_card(before, one.card.model_copy(update={"base_version": "", "feature_length": 0}))
    assert main(["export", str(before)]) == 0
    assert f"base {one.card.base_version}: kept apart from its head, adds " in capsys.readouterr().out
    after = read_package(before)
    assert after.has_base
    assert (after.version, after.card.base_version) == (one.version, one.card.base_version)
    for name in (*BASE_OPENVINO_FILES, *HEAD_OPENVINO_FILES):
        assert after.card.files[name] == one.card.files[name]


def test_a_renewed_export_makes_its_base_anew(one: Package, folder: Path) -> None:
    assert main(["export", str(one.path), "--renew", "--out", str(folder / "renewed")]) == 0
    renewed = read_package(folder / "renewed")
    assert (renewed.has_base, renewed.version, renewed.card.base_version) == (True, one.version, one.card.base_version)
