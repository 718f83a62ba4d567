"""Batch normalisation after a few steps from nothing: its averages fit the weights, and nothing else is touched."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.pictures import save_two_classes
from train.data.dataset import Dataset, read_dataset, split
from train.fit.checkpoints import Checkpoint, Epoch
from train.fit.features import FeatureCache
from train.fit.loop import Trained, learn
from train.optimization.precise_bn import batch_norms_of, recalibrate_batch_norm
from train.settings import FitSettings

SIDE_PX = 32
Sample = tuple[Dataset, Any, Any]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Two classes of ten pictures, decoded and split."""
    folder = save_two_classes(tmp_path_factory.mktemp("pictures"), 10)
    dataset = read_dataset(folder, FitSettings(image_size_px=SIDE_PX).spec)
    return dataset, *split(dataset, 0.2, 0)


def from_nothing(**more: Any) -> FitSettings:
    """A MobileNet of the smallest width."""
    wanted: dict[str, Any] = {"architecture": "mobilenet", "alpha": 0.25, "image_size_px": SIDE_PX, "weights": "none"}
    return FitSettings(**wanted, batch_size=8, augmentation="simple", **more)


def trained(settings: FitSettings, sample: Sample, folder: Path, **more: Any) -> Trained:
    """Without a package."""
    return learn(settings, *sample, cache=FeatureCache(folder), log=lambda _: None, **more)


def averages(model: Any) -> list[Any]:
    """Of all its batch normalisations."""
    return [np.asarray(value) for norm in batch_norms_of(model) for value in (norm.moving_mean, norm.moving_variance)]


def test_the_averages_are_those_of_all_images_and_nothing_is_dropped_out() -> None:
    keras.utils.set_random_seed(1)
    frozen = layers.BatchNormalization(trainable=False)
    first, second = layers.BatchNormalization(), layers.BatchNormalization(momentum=0.9)
    drop = layers.Dropout(0.5)
    inner = keras.Sequential([keras.Input((3,)), first, drop, second, frozen])
    network = keras.Sequential([keras.Input((3,)), inner])
    values = np.random.default_rng(0).normal(5, [1, 2, 30], (10, 3)).astype(np.float32)
    values[6:] += 4  # what differs between batches counts as well
    recalibrate_batch_norm(network, [values[:6], values[6:]])
    np.testing.assert_allclose(first.moving_mean, values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(first.moving_variance, values.var(axis=0), rtol=1e-4)
    np.testing.assert_allclose(second.moving_mean, np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(second.moving_variance, np.ones(3), atol=1e-3)  # of what the first has made even
    assert np.asarray(frozen.moving_mean).tolist() == [0, 0, 0]
    assert (first.momentum, second.momentum, drop.rate) == (0.99, 0.9, 0.5)


@pytest.mark.slow  # half a minute
def test_one_epoch_from_nothing_tells_pictures_apart_and_its_weights_are_those_of_the_training(
    sample: Sample, tmp_path: Path
) -> None:
    settled, trailing = (
        trained(from_nothing(epochs=1, norm_images=count), sample, tmp_path).model.get_weights() for count in (512, 0)
    )
    model = trained(from_nothing(epochs=1), sample, tmp_path).model
    of_averages = {id(value) for norm in batch_norms_of(model) for value in (norm.moving_mean, norm.moving_variance)}
    for variable, one, other in zip(model.weights, settled, trailing, strict=True):
        assert (one == other).all() == (id(variable) not in of_averages), variable.path
    pixels = sample[0].pixels[sample[2]]
    spread = np.ptp(np.asarray(model.predict_on_batch(pixels)), axis=0).max()
    model.set_weights(trailing)
    assert spread > 0.1 > 20 * np.ptp(np.asarray(model.predict_on_batch(pixels)), axis=0).max()


@pytest.mark.slow
def test_a_training_from_nothing_goes_on_exactly_after_a_kill(sample: Sample, tmp_path: Path) -> None:
    settings = from_nothing(epochs=3, best_by="val_accuracy")
    whole = trained(settings, sample, tmp_path)
    checkpoint = Checkpoint(tmp_path / "checkpoint")
    seen: list[Epoch] = []

    def kill(epoch: Epoch) -> bool:
        seen.append(epoch)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        trained(settings, sample, tmp_path, checkpoint=checkpoint, on_epoch=kill)
    resumed = trained(settings, sample, tmp_path, checkpoint=checkpoint)
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert (one == other).all()
    assert [replace(epoch, seconds=0) for epoch in whole.history] == [
        replace(epoch, seconds=0) for epoch in resumed.history
    ]
