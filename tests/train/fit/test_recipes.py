"""EOL's training recipes as they ship: each is one that `fit` takes, with the numbers that EOL published."""

import pytest

from tests.support.paths import ROOT
from train.settings import read_fit_settings

PUBLISHED = {
    # architecture, side, epochs of the whole network, batch, learning rate, dropout, label smoothing, augmentation
    "rating_18": ("mobilenet_v2", 224, 10, 16, 1e-3, 0.2, 0.0, "off"),
    "rating_20": ("inception_v3", 299, 10, 32, 1e-3, 0.0, 0.0, "off"),
    "rating_06": ("inception_v3", 299, 15, 64, 1e-1, 0.0, 0.0, "off"),
    "image_type_13": ("mobilenet_v2", 224, 30, 16, 1e-5, 0.3, 0.0, "off"),
    "image_type_11": ("inception_v3", 299, 30, 16, 1e-4, 0.2, 0.0, "off"),
    "flower_fruit_07": ("mobilenet_v2", 224, 60, 16, 1e-3, 0.3, 0.1, "simple"),
    "flower_fruit_11": ("mobilenet_v2", 224, 60, 16, 1e-3, 0.3, 0.1, "simple"),
    "flowers": ("scratch", 150, 35, 64, 1e-3, 0.2, 0.0, "simple"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_has_the_published_numbers(name: str) -> None:
    settings = read_fit_settings(ROOT / f"conf/train/{name}.toml")
    epochs = settings.fine_tune_epochs or settings.epochs
    rate = settings.fine_tune_learning_rate if settings.fine_tune_epochs else settings.learning_rate
    assert settings.name == name
    assert PUBLISHED[name] == (
        settings.architecture,
        settings.side_px,
        epochs,
        settings.batch_size,
        rate,
        settings.dropout,
        settings.label_smoothing,
        settings.augmentation,
    )
    assert (settings.resample, settings.validation_fraction) == ("nearest", 0.2)
