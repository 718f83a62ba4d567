"""`refit`: a training once more on all images, for as long as validation found best; and averaged weights."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.bases import SIDE_PX
from train.__main__ import main
from train.data.dataset import Dataset, read_dataset, split
from train.evaluate.labels.calibration import fit_platt
from train.fit.attempts import find_package
from train.fit.calibrating import calibrated
from train.fit.checkpoints import Checkpoint, Epoch
from train.fit.features import FeatureCache
from train.fit.loop import Trained, learn, start_network
from train.fit.refit import Start, best_lengths, refitted
from train.optimization.averaging import averaged_weights
from train.optimization.optimizer import make_optimizer
from train.package.data_table import read_data_table
from train.records import Split
from train.settings import FitSettings

Sample = tuple[Dataset, Any, Any]

CONFIG = (
    'architecture = "mobilenet"\nalpha = 0.25\nimage_size_px = 32\nepochs = 3\nbatch_size = 8\nhead_units = [6]\n'
    'fine_tune_from = "conv_dw_13"\nfine_tune_epochs = 2\nlabel_smoothing = 0.1\naugmentation = "photo"\n'
)


@pytest.fixture(scope="module")
def sample(pictures: Path) -> Sample:
    """The pictures as fit reads and splits them."""
    dataset = read_dataset(pictures, FitSettings(image_size_px=SIDE_PX).spec)
    return dataset, *split(dataset, 0.25, 0)


def epoch(phase: str, number: int, loss: float, accuracy: float) -> Epoch:
    """An epoch as validation saw it."""
    return Epoch(phase, number, 0.0, 0.0, loss, accuracy, 0.0, 0.0)


def test_a_refit_takes_each_phase_as_far_as_it_got_better() -> None:
    history = [epoch("head", 1, 0.9, 0.5), epoch("head", 2, 0.5, 0.7), epoch("head", 3, 0.6, 0.8)]
    history += [
        epoch("fine_tuning", 1, 0.55, 0.8),
        epoch("fine_tuning", 2, 0.4, 0.9),
        epoch("fine_tuning", 3, 0.5, 0.9),
    ]
    assert best_lengths(history, history[4], "val_loss") == {"head": 2, "fine_tuning": 2}
    assert best_lengths(history, history[4], "val_accuracy") == {"head": 3, "fine_tuning": 2}
    assert best_lengths(history, history[1], "val_loss") == {"head": 2}


def test_a_refit_learns_what_a_training_on_all_images_learns(sample: Sample, tmp_path: Path) -> None:
    dataset, train, validation = sample
    settings = FitSettings(image_size_px=SIDE_PX, first_filters=4, epochs=1, batch_size=8)
    cache, network = FeatureCache(tmp_path), start_network(settings, 2)
    start = Start(network, network.model.get_weights())
    first = learn(settings, dataset, train, validation, cache=cache, network=network)
    held_out = np.asarray(first.model.predict_on_batch(dataset.pixels[validation]))
    again = refitted(settings, dataset, (train, validation), first, start, cache=cache)
    learned = again.model.get_weights()
    assert (again.history, again.best) == (first.history, first.best)
    assert again.held_out is not None
    np.testing.assert_allclose(again.held_out, held_out, atol=1e-5)
    assert np.abs(again.model.predict_on_batch(dataset.pixels[validation]) - held_out).max() > 1e-3
    everything = np.arange(len(dataset.examples))
    assert len(train) < len(everything)
    wanted = learn(settings, dataset, everything, validation, cache=cache).model.get_weights()
    assert all((one == other).all() for one, other in zip(learned, wanted, strict=True))


@pytest.fixture
def words(pictures: Path, weights: Path, tmp_path: Path) -> list[str]:
    """`fit` with a refit, up to its settings."""
    (tmp_path / "refit.toml").write_text(CONFIG)
    return ["fit", str(tmp_path / "refit.toml"), "--data", str(pictures), "--weights", str(weights)]


@pytest.mark.slow
def test_the_card_of_a_refit_tells_the_figures_of_the_training_before_it(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--out", str(tmp_path / "first")]) == 0
    assert main([*words, "--out", str(tmp_path / "again"), "--set", "refit=true"]) == 0
    first, again = (find_package(tmp_path / name) for name in ("first", "again"))
    for name in ("val_accuracy", "per_class", "confusion_matrix", "best_epoch"):
        assert again.card.metrics[name] == first.card.metrics[name], name
    for name in ("val_loss", "calibration"):
        assert again.card.metrics[name] == pytest.approx(first.card.metrics[name], abs=1e-3), name
    assert again.card.temperature == pytest.approx(first.card.temperature, abs=1e-3)
    assert (tmp_path / "again/001/history.csv").read_text().count("\n") == len(
        (tmp_path / "first/001/history.csv").read_text().splitlines()
    )
    of_first, of_again = read_data_table(first), read_data_table(again)
    assert of_first is not None
    assert of_again is not None
    assert set(of_first.values()) == {Split.TRAIN, Split.VAL}
    assert set(of_again.values()) == {Split.TRAIN}
    assert "**Refit**" in (again.path / "README.md").read_text()
    assert "**Refit**" not in (first.path / "README.md").read_text()
    one, other = (keras.saving.load_model(each.path / "model.keras", compile=False) for each in (first, again))
    assert any((a != b).any() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.slow
def test_a_refit_that_was_killed_is_gone_on_with(words: list[str], tmp_path: Path) -> None:
    words += ["--set", "refit=true", "--set", "ema_momentum=0.9"]
    saved = Checkpoint.save

    def killed_in_refit(checkpoint: Checkpoint, *given: Any, **arrays: Any) -> None:
        saved(checkpoint, *given, **arrays)
        if checkpoint.folder.name == "refit":
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", killed_in_refit)
        assert main([*words, "--out", str(tmp_path / "out")]) == 130
    assert main([*words, "--out", str(tmp_path / "out"), "--resume"]) == 0
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    assert find_package(tmp_path / "out").version == find_package(tmp_path / "whole").version


def test_a_label_is_calibrated_by_what_was_held_out_before_the_refit() -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 2, (400, 2)).astype(np.float32)
    honest = rng.normal(2 * answers - 1, 1.0).astype(np.float32)
    bold = (4 * (2 * answers - 1)).astype(np.float32)  # as logits of images are that were learned by heart
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(inputs))
    model.get_layer("logits").set_weights([np.eye(2), np.zeros(2)])
    trained = Trained(model, (), epoch("head", 1, 0.0, 0.0), 0.0, scores=None, held_out=honest)
    dataset = _Vectors(answers, bold)
    found, document = calibrated(trained, FitSettings(output="labels"), dataset, np.arange(400))  # type: ignore[arg-type]
    line = fit_platt(honest, answers)
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(np.diag(kernel), line.slopes, rtol=1e-5)
    np.testing.assert_allclose(bias, line.offsets, rtol=1e-5)
    np.testing.assert_allclose(found.held_out, line.applied(honest), rtol=1e-5)
    assert set(document["calibration"]["per_label"]) == {"a", "b"}


class _Vectors:
    """What calibration takes of a data set, whose features are the logits themselves."""

    labels = ("a", "b")

    def __init__(self, answers: Any, vectors: Any) -> None:
        self.answers, self.vectors, self.pixels = answers, vectors, vectors


def test_a_refit_and_a_schedule_that_validation_decides_are_refused() -> None:
    with pytest.raises(ValueError, match="refit: nothing is validated in it, which the schedule 'plateau' needs"):
        FitSettings(refit=True, schedule="plateau")


def test_averaged_weights_are_the_moving_average_of_the_steps_and_leave_no_trace() -> None:
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(inputs))
    optimizer = make_optimizer(FitSettings(optimizer="sgd", momentum=0.0, learning_rate=0.1, ema_momentum=0.5))
    model.compile(optimizer, loss="mse")
    optimizer.build(model.trainable_variables)
    steps = []
    for _ in range(3):
        model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
        steps.append(float(model.get_weights()[0][0, 0]))
    assert steps == pytest.approx([0.2, 0.36, 0.488])  # w += 0.2 (1 - w)
    with averaged_weights(model):
        assert float(model.get_weights()[0][0, 0]) == pytest.approx(0.25 * 0.2 + 0.25 * 0.36 + 0.5 * 0.488)
    assert float(model.get_weights()[0][0, 0]) == steps[-1]


def test_what_is_validated_and_kept_is_the_average(sample: Sample, tmp_path: Path) -> None:
    settings = FitSettings(
        image_size_px=SIDE_PX, first_filters=4, epochs=2, batch_size=4, learning_rate=0.02, ema_momentum=0.9,
        optimizer="sgd", early_stopping_patience=9,
    )  # fmt: skip
    dataset, _, validation = sample
    trained = learn(settings, *sample, cache=FeatureCache(tmp_path))
    logits = np.asarray(trained.model.predict_on_batch(dataset.pixels[validation]))
    truth = dataset.answers[validation].argmax(axis=1)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert -np.log(shares[np.arange(len(truth)), truth]).mean() == pytest.approx(trained.best.val_loss, rel=1e-4)
    plain = learn(settings.model_copy(update={"ema_momentum": 0.0}), *sample, cache=FeatureCache(tmp_path))
    assert [one.loss for one in trained.history] == pytest.approx([one.loss for one in plain.history])
    assert trained.history[0].val_loss != pytest.approx(plain.history[0].val_loss)
