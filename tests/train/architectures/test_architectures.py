"""Networks by name: sizes, scaling, blocks, parameters. tests/spark/jobs/test_architectures.py trains them."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from eoltag.model.card import KERAS_FILE
from eoltag.model.engines import load_engine
from eoltag.model.package import Package, unpack
from eoltag.records import Pixels
from tests.support.pictures import save_two_classes
from train.__main__ import main
from train.cli import start_keras
from train.fit.attempts import find_package
from train.package.runtimes import TOLERANCE
from train.settings import OWN_SIDE_PX, ArchitectureName, FitSettings

start_keras()

from train.architectures import build, transfer  # noqa: E402
from train.architectures.bases import BASES, first_layer  # noqa: E402

NAMES = get_args(ArchitectureName)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures in two classes."""
    return save_two_classes(tmp_path_factory.mktemp("pictures"), 20, (48, 64))


def trained(name: str, pictures: Path, root: Path, *more: str) -> Package:
    """One epoch of it, from nothing."""
    config = root / f"{name}.toml"
    config.write_text(
        f'name = "{name}"\narchitecture = "{name}"\nweights = "none"\nimage_size_px = 32\nepochs = 1\nbatch_size = 8\n'
    )
    assert main(["fit", str(config), "--data", str(pictures), "--out", str(root / name), *more]) == 0
    return find_package(root / name)


def logits(package: Package, engine: str, pixels: Pixels) -> np.ndarray:
    """As a worker would compute them."""
    loaded = load_engine(
        engine,  # type: ignore[arg-type]
        unpack(package.pack(engine)),  # type: ignore[arg-type]
        batch_size=len(pixels),
        threads=2,
        keras_backend="tensorflow",
    )
    return loaded.predict(pixels)


def test_a_small_mobilenet_trains_and_both_engines_agree(pictures: Path, tmp_path: Path) -> None:
    package = trained("mobilenet", pictures, tmp_path, "--set", "alpha=0.25")
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    assert package.engines == ("openvino", "keras")
    by_keras, by_openvino = (logits(package, name, noise) for name in ("keras", "openvino"))
    assert by_keras.shape == (4, 2)
    assert np.ptp(by_keras, axis=0).min() > 0.01
    np.testing.assert_allclose(by_openvino, by_keras, rtol=TOLERANCE, atol=TOLERANCE)
    assert (package.path / KERAS_FILE).stat().st_size < 2_000_000


def test_the_sizes_are_those_that_the_networks_were_published_for() -> None:
    own = {name: FitSettings(architecture=name).side_px for name in NAMES}
    assert own == {**dict.fromkeys(NAMES, 224), **OWN_SIDE_PX}
    assert (own["scratch"], own["inception_v3"], own["efficientnet_b5"]) == (150, 299, 456)


@pytest.mark.parametrize(("name", "wanted"), [("signed", "mobilenet_v2"), ("caffe", "resnet50")])
def test_the_pixels_reach_the_base_as_it_was_trained_on_them(name: str, wanted: str) -> None:
    import keras

    settings = FitSettings(architecture=wanted, weights="none")  # type: ignore[arg-type]
    given = keras.Input((2, 2, 3), dtype="uint8")
    network = keras.Model(given, transfer._scaled(given, settings, BASES[wanted]))
    pixels = np.array([[[[255, 0, 0], [0, 255, 0]], [[10, 20, 30], [0, 0, 255]]]], np.uint8)
    modes = {"signed": keras.applications.mobilenet_v2, "caffe": keras.applications.resnet50}
    published = modes[name].preprocess_input(pixels.astype(np.float32).copy())
    np.testing.assert_allclose(np.asarray(network(pixels)), np.asarray(published), atol=1e-4)


@pytest.mark.parametrize(("name", "parameters"), [("vgg", 208_609_154), ("peetz_net", 414_797_954)])
def test_the_published_networks_have_their_published_parameters(name: str, parameters: int) -> None:
    """Counted at 32 pixels: of all weights, the first dense layer's alone grow with the picture, 7 x 7 times."""
    assert FitSettings(architecture=name).side_px == 7 * 32  # type: ignore[arg-type]
    model = build(FitSettings(architecture=name, image_size_px=32), 2).model  # type: ignore[arg-type]
    of_pixels = int(np.prod(model.get_layer("dense_1").kernel.shape))
    assert model.count_params() + (7 * 7 - 1) * of_pixels == parameters


def test_scratch_is_the_network_of_eols_notebook() -> None:
    model = build(FitSettings(), 6).model
    assert model.count_params() == 2_770_310
    assert [model.get_layer(f"conv_{n}").kernel.shape[0::3] for n in (1, 2, 3)] == [(5, 64), (3, 64), (3, 128)]
    wider = build(FitSettings(first_kernel_px=7, second_filters=128, image_size_px=32), 6).model
    assert [wider.get_layer(f"conv_{n}").kernel.shape[0::3] for n in (1, 2, 3)] == [(7, 64), (3, 128), (3, 256)]


@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
def test_every_block_can_be_named(name: str) -> None:
    import keras

    keras.backend.clear_session()
    spec = BASES[name]
    base = transfer.make_base(spec, include_top=False, weights=None, input_shape=(96, 96, 3))
    starts = [first_layer(base, spec, block) for block in spec.blocks]
    assert None not in starts
    assert starts == sorted(set(starts))  # type: ignore[type-var]
