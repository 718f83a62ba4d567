"""`fit` on a pretrained base: the head first, then fine-tuning from a named block; going on after a kill."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from eoltag.errors import SettingsError
from tests.support.bases import SIDE_PX
from tests.support.pictures import save
from train.__main__ import main
from train.data.dataset import Dataset, read_dataset, split
from train.fit.attempts import find_package
from train.fit.checkpoints import Checkpoint, Epoch
from train.fit.features import FeatureCache
from train.fit.loop import learn, start_network
from train.fit.package import _scores
from train.package.runtimes import tolerated
from train.settings import FitSettings, read_fit_settings

CONFIG = (
    'architecture = "mobilenet"\nalpha = 0.25\nimage_size_px = 32\nepochs = 2\nbatch_size = 8\nhead_units = [6]\n'
    'fine_tune_from = "conv_dw_13"\nfine_tune_epochs = 2\nlabel_smoothing = 0.1\naugmentation = "photo"\n'
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two short phases."""
    (tmp_path / "two_phases.toml").write_text(CONFIG)
    return tmp_path / "two_phases.toml"


def fit(config: Path, pictures: Path, weights: Path, out: Path, *more: str) -> int:
    """`python -m train fit ...`."""
    return main(
        ["fit", str(config), "--data", str(pictures), "--weights", str(weights), "--out", str(out), *more]
    )  # fmt: skip


def history(attempt: Path) -> list[dict[str, str]]:
    """The lines of history.csv."""
    with (attempt / "history.csv").open() as stream:
        return list(csv.DictReader(stream))


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the user gets to see."""
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ")
    return said[-1]


def test_the_head_learns_first_and_then_the_named_block(
    weights: Path, config: Path, tmp_path: Path, sample: "Sample"
) -> None:
    settings = read_fit_settings(config, ["best_by=val_accuracy"], weights=str(weights))
    network = start_network(settings, 2)
    before = {layer.name: [value.copy() for value in layer.get_weights()] for layer in network.base.layers}
    trained = learn(settings, *sample, cache=FeatureCache(tmp_path / "features"), network=network)
    assert [epoch.phase for epoch in trained.history][:3] == ["head", "head", "fine_tuning"]
    assert trained.model is network.model
    changed = {
        layer.name
        for layer in network.base.layers
        if any((old != new).any() for old, new in zip(before[layer.name], layer.get_weights(), strict=True))
    }
    if trained.best.phase == "fine_tuning":
        assert changed
    assert changed <= {"conv_dw_13", "conv_dw_13_bn", "conv_pw_13", "conv_pw_13_bn"}
    norm = network.base.get_layer("conv_dw_13_bn")
    assert (np.asarray(norm.moving_mean) == before["conv_dw_13_bn"][2]).all()


Sample = tuple[Dataset, Any, Any]


@pytest.fixture(scope="module")
def sample(pictures: Path) -> Sample:
    """The pictures, decoded and split."""
    dataset = read_dataset(pictures, FitSettings(image_size_px=SIDE_PX).spec)
    return dataset, *split(dataset, 0.25, 0)


def test_kept_features_are_those_of_the_whole_network(
    weights: Path, config: Path, tmp_path: Path, sample: Sample
) -> None:
    dataset = sample[0]
    settings = read_fit_settings(config, ["augmentation=off"], weights=str(weights))
    network = start_network(settings, 2)
    cache = FeatureCache(tmp_path / "features")
    maps = cache.get("maps", network.trunk, dataset, settings, 1)
    pooled = cache.continued("pooled", network.tail, maps)
    whole = np.asarray(network.features.predict_on_batch(dataset.pixels))
    assert maps.dtype == np.float16
    np.testing.assert_allclose(pooled[0], whole, atol=5e-3 * np.abs(whole).max())
    assert len(list((tmp_path / "features").iterdir())) == 2
    spent = cache.seconds
    assert (cache.get("maps", network.trunk, dataset, settings, 1) == maps).all()
    assert cache.seconds == spent


def test_scores_from_kept_features_count_where_the_exported_files_give_the_same(
    weights: Path, config: Path, tmp_path: Path, pictures: Path, sample: Sample
) -> None:
    changes = ["augmentation=off", "fine_tune_from=", "fine_tune_epochs=0"]
    settings = read_fit_settings(config, changes, weights=str(weights))
    kept = learn(settings, *sample, cache=FeatureCache(tmp_path / "features")).scores
    assert kept is not None
    more = [word for change in changes for word in ("--set", change)]
    assert fit(config, pictures, weights, tmp_path / "out", "--set", "validation_fraction=0.25", *more) == 0
    package = find_package(tmp_path / "out")
    dataset, _, validation = sample
    scores, whole = _scores(package, dataset, validation, kept)
    assert scores is kept
    assert whole.difference == package.card.metrics["engines_differ_by"]
    wrong = kept.copy()
    wrong[-1] += 0.01
    scores, _ = _scores(package, dataset, validation, wrong)
    assert np.all(np.abs(scores - kept) <= tolerated(kept))  # the engine's own, no longer the wrong ones
    with_maps = read_fit_settings(config, ["cached_views=1"], weights=str(weights))
    assert learn(with_maps, *sample, cache=FeatureCache(tmp_path / "features")).scores is None


def test_a_training_can_be_watched_and_stopped(weights: Path, config: Path, tmp_path: Path, sample: Sample) -> None:
    seen: list[Epoch] = []

    def stop_after_three(epoch: Epoch) -> bool:
        seen.append(epoch)
        return len(seen) == 3

    settings = read_fit_settings(config, ["cached_views=2"], weights=str(weights))
    trained = learn(settings, *sample, cache=FeatureCache(tmp_path), on_epoch=stop_after_three)
    assert list(trained.history) == seen
    assert [(epoch.phase, epoch.epoch) for epoch in seen] == [("head", 1), ("head", 2), ("fine_tuning", 1)]


@pytest.mark.parametrize(
    ("survived", "more"),
    [
        (1, []),
        pytest.param(2, ["augmentation=off"], marks=pytest.mark.slow),
        pytest.param(3, ["cached_views=2", "schedule=plateau", "plateau_patience=1"], marks=pytest.mark.slow),
    ],
)
def test_a_training_goes_on_exactly_wherever_it_was_killed(
    weights: Path, config: Path, tmp_path: Path, sample: Sample, survived: int, more: list[str]
) -> None:
    settings = read_fit_settings(config, more, weights=str(weights))
    whole = learn(settings, *sample, cache=FeatureCache(tmp_path / "whole"))
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    killed, again = (FeatureCache(tmp_path / "killed") for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        learn(settings, *sample, cache=killed, checkpoint=checkpoint, on_epoch=killing_after(survived)())
    resumed = learn(settings, *sample, cache=again, checkpoint=checkpoint)
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert (one == other).all()
    assert len(whole.history) == 4
    assert [replace(epoch, seconds=0) for epoch in whole.history] == [
        replace(epoch, seconds=0) for epoch in resumed.history
    ]
    assert replace(whole.best, seconds=0) == replace(resumed.best, seconds=0)


@pytest.mark.slow
def test_an_attempt_is_gone_on_with(pictures: Path, weights: Path, config: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.fit.run._recorder", killing_after(3))
        assert fit(config, pictures, weights, tmp_path / "out") == 130
    assert fit(config, pictures, weights, tmp_path / "out", "--resume") == 0
    assert [(row["phase"], row["epoch"]) for row in history(tmp_path / "out/001")] == [
        ("head", "1"), ("head", "2"), ("fine_tuning", "1"), ("fine_tuning", "2"),
    ]  # fmt: skip
    package = find_package(tmp_path / "out")
    assert package.card.hyperparameters["epochs_run"] == 4
    assert not package.has_base  # it was fine-tuned, and is like no other
    assert "base.keras" not in package.card.files
    assert not (tmp_path / "out/001/checkpoint").exists()
    assert fit(config, pictures, weights, tmp_path / "whole") == 0
    assert find_package(tmp_path / "out").version == find_package(tmp_path / "whole").version


def test_a_solved_head_is_one_line_of_the_history_and_the_second_phase_begins_with_it(
    pictures: Path, weights: Path, config: Path, tmp_path: Path
) -> None:
    more = [word for change in ("head_units=[]", "augmentation=off") for word in ("--set", change)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.fit.run._recorder", killing_after(2))
        assert fit(config, pictures, weights, tmp_path / "out", *more) == 130
    assert fit(config, pictures, weights, tmp_path / "out", "--resume", *more) == 0
    assert fit(config, pictures, weights, tmp_path / "whole", *more) == 0
    assert [row["phase"] for row in history(tmp_path / "out/001")] == ["head", "fine_tuning", "fine_tuning"]
    assert find_package(tmp_path / "out").version == find_package(tmp_path / "whole").version


def killing_after(epochs: int) -> Callable[..., Callable[[Epoch], bool]]:
    """A recorder that ends the process's work before the checkpoint of a later epoch is written."""

    def recorder(*_: object) -> Callable[[Epoch], bool]:
        seen: list[Epoch] = []

        def record(epoch: Epoch) -> bool:
            seen.append(epoch)
            if len(seen) > epochs:
                raise KeyboardInterrupt
            return False

        return record

    return recorder


def test_going_on_asks_for_the_same_settings_and_images(
    pictures: Path, weights: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "out"
    assert fit(config, pictures, weights, out, "--resume") == 2
    assert "no attempt to go on with; leave --resume away to begin one" in refused(capsys)
    with monkeypatch.context() as patch:
        patch.setattr("train.fit.run._recorder", killing_after(0))
        assert fit(config, pictures, weights, out) == 130
    capsys.readouterr()
    assert fit(config, pictures, weights, out, "--resume", "--set", "epochs=9") == 2
    assert "was begun with epochs = 2, and goes on only with that. Received: 9" in refused(capsys)
    save(pictures / "one" / "new.jpg", 999)
    try:
        assert fit(config, pictures, weights, out, "--resume") == 2
    finally:
        (pictures / "one" / "new.jpg").unlink()
    assert "began with other images" in refused(capsys)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["alpha=0.5"], "small.weights.h5 holds no weights of mobilenet of alpha 0.5: "),
        (["architecture=mobilenet_v2"], "small.weights.h5 holds no weights of mobilenet_v2 of alpha 0.25: "),
        (["fine_tune_from=conv_dw_14"], "mobilenet has no block or layer 'conv_dw_14'; its blocks: conv_dw_1, "),
        (["image_size_px=8"], "mobilenet of alpha 0.25 at 8 pixels with weights "),
        (["class_weights=none.json"], "class_weights: wanted off, balanced or a file. Received: none.json"),
        (["min_accuracy=0.99", "learning_rate=1e-9", "epochs=1"], "wanted min_accuracy 0.99 or more. Received: "),
    ],
)
def test_what_does_not_fit_the_weights_is_one_line(
    pictures: Path, weights: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    changes: list[str], message: str,
) -> None:  # fmt: skip
    more = [word for change in changes for word in ("--set", change)]
    assert fit(config, pictures, weights, tmp_path / "out", *more) == 2
    assert message in refused(capsys)
    assert not list(tmp_path.glob("out/*/package"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.h5", b"\x89HDF\r\n\x1a\n" + b"0" * 40, "cut.h5 holds no weights of mobilenet of alpha 0.25: "),
        ("page.weights.h5", b"<html>", "page.weights.h5 holds no weights of mobilenet of alpha 0.25: "),
        ("model.keras", b"PK\x03\x04", "model.keras holds no weights of mobilenet of alpha 0.25: "),
        ("weights.npz", b"", "weights.npz: wanted a file that ends in .h5 or .keras"),
        (None, b"", "none.h5, and there is no such file"),
    ],
)
def test_weights_that_cannot_be_read_are_one_line(
    tmp_path: Path, name: str | None, content: bytes, message: str
) -> None:
    path = tmp_path / (name or "none.h5")
    if name:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        start_network(FitSettings(architecture="mobilenet", alpha=0.25, image_size_px=SIDE_PX, weights=str(path)), 2)
    assert message in str(caught.value)


@pytest.mark.slow
def test_a_package_lends_its_base_to_the_next_training(
    pictures: Path, weights: Path, config: Path, tmp_path: Path
) -> None:
    assert fit(config, pictures, weights, tmp_path / "out", "--set", "best_by=val_accuracy") == 0
    taught = keras.saving.load_model(find_package(tmp_path / "out").path / "model.keras", compile=False)
    path = find_package(tmp_path / "out").path / "model.keras"
    settings = FitSettings(architecture="mobilenet", alpha=0.25, image_size_px=SIDE_PX, weights=str(path))
    base = start_network(settings, 5).base
    (wanted,) = [layer for layer in taught.get_layer("features").layers if isinstance(layer, keras.Model)]
    for one, other in zip(base.get_weights(), wanted.get_weights(), strict=True):
        assert (one == other).all()
