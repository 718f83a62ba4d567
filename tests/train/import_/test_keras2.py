"""`python -m train import` on files that Keras 2 wrote, and on networks with augmentation or 16-bit layers inside."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoltag.model.engines import load_engine
from eoltag.model.package import Package, read_package, unpack
from eoltag.records import Scores
from tests.support.keras2 import CLASSES, FOLDER, SCORES_FILE, SIDE, pictures
from train.__main__ import main
from train.settings import read_fit_settings

LABELS = "red,green,blue"


def imported(source: Path, out: Path, *more: str) -> Package:
    """The package that the verb makes of probabilities."""
    words = ["import", str(source), "--labels", LABELS, "--out", str(out)]
    assert main([*words, *(more or ("--scaling", "unit", "--output", "softmax"))]) == 0
    return read_package(out)


def probabilities(package: Package, engine: Any) -> Scores:
    """By that engine of the Spark job."""
    loaded = load_engine(engine, unpack(package.pack(engine)), batch_size=8, threads=1, keras_backend="tensorflow")
    return package.card.probabilities(loaded.predict(pictures()))


def by_keras_2(name: str) -> Scores:
    """What Keras 2 itself made of the same pictures."""
    with np.load(FOLDER / SCORES_FILE) as scores:
        found: Scores = scores[name]
    assert np.ptp(found, axis=0).min() > 5e-4, "a model that says the same of every picture shows nothing"
    return found


@pytest.mark.parametrize("name", ["decathlon", "peetz", "augmented"])
def test_a_whole_model_of_keras_2_gives_the_probabilities_that_keras_2_gave(name: str, tmp_path: Path) -> None:
    package = imported(FOLDER / f"{name}.h5", tmp_path / "package")
    assert package.engines == ("openvino", "keras")
    for engine in package.engines:
        np.testing.assert_allclose(probabilities(package, engine), by_keras_2(name), atol=1e-5)


def test_a_16_bit_softmax_that_is_very_sure_becomes_float32(tmp_path: Path) -> None:
    package = imported(FOLDER / "half.h5", tmp_path / "package")
    for engine in package.engines:
        np.testing.assert_allclose(probabilities(package, engine), by_keras_2("half"), atol=0.02)


def test_weights_alone_go_into_the_network_whose_settings_are_named(tmp_path: Path) -> None:
    config = tmp_path / "scratch.toml"
    config.write_text(f"image_size_px = {SIDE}\nfirst_filters = 2\nfit = 'crop'\n")
    package = imported(FOLDER / "scratch.h5", tmp_path / "package", "--network", str(config))
    assert (package.card.input.height, package.card.input.fit) == (SIDE, "crop")
    for engine in package.engines:
        np.testing.assert_allclose(probabilities(package, engine), by_keras_2("scratch"), atol=1e-5)


def test_weights_of_another_network_are_refused_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "scratch.toml"
    config.write_text(f"image_size_px = {SIDE}\nfirst_filters = 3\n")
    words = ["import", str(FOLDER / "scratch.h5"), "--labels", LABELS, "--network", str(config)]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert f"holds no weights of scratch at {SIDE} pixels for {CLASSES} labels" in line
    assert not (tmp_path / "out").exists()


def test_one_input_and_one_output_in_lists_are_one_input_and_one_output(tmp_path: Path) -> None:
    import keras

    image = keras.Input((SIDE, SIDE, 3))
    scores = keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.GlobalMaxPooling2D()(image))
    model = keras.Model([image], [scores])
    for name in ("listed.keras", "listed.h5"):
        model.save(tmp_path / name)
        package = imported(tmp_path / name, tmp_path / f"{name}_package")
        wanted = np.reshape(model.predict_on_batch(pictures() / np.float32(255)), (-1, CLASSES))
        for engine in package.engines:
            np.testing.assert_allclose(probabilities(package, engine), wanted, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_augmentation_and_16_bit_layers_of_keras_3_stay_outside_the_package(policy: str, tmp_path: Path) -> None:
    import keras

    layers = keras.layers
    changes = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomContrast(0.3)])
    stack = [layers.Conv2D(4, 3, dtype=policy), layers.GlobalMaxPooling2D(dtype=policy)]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), changes, *stack, layers.Dense(CLASSES, "softmax")])
    model.save(tmp_path / "model.keras")
    package = imported(tmp_path / "model.keras", tmp_path / "package")
    wanted = model.predict_on_batch(pictures() / np.float32(255))
    for engine in package.engines:
        np.testing.assert_allclose(probabilities(package, engine), wanted, atol=0.02)


def test_a_file_is_told_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "named.keras").write_bytes((FOLDER / "peetz.h5").read_bytes())
    package = imported(tmp_path / "named.keras", tmp_path / "package")
    np.testing.assert_allclose(probabilities(package, "keras"), by_keras_2("peetz"), atol=1e-5)


# --- decathlon's parameters


class Loud:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must not run",)


FOUND = [np.int64(7), np.int64(512), np.float64(3e-4), np.float64(0.25), True, np.int64(2), "tanh", np.bool_(True)]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_the_best_values_of_a_search_become_settings(protocol: int, tmp_path: Path) -> None:
    source, out = tmp_path / "hyperparameters_search.pickle", tmp_path / "found.toml"
    source.write_bytes(pickle.dumps(FOUND, protocol))
    assert main(["import", str(source), "--out", str(out)]) == 0
    settings = read_fit_settings(out)
    assert (settings.architecture, settings.epochs, settings.learning_rate) == ("inception_v3", 7, 3e-4)
    assert (settings.head_units, settings.head_activation, settings.dropout) == ((512, 512), "tanh", 0.25)
    assert (settings.fine_tune_from, settings.fine_tune_epochs, settings.class_weights) == ("mixed9", 7, "balanced")
    assert settings.fine_tune_learning_rate == pytest.approx(3e-5)
    assert "#   hidden_size = 512\n" in out.read_text()


def test_those_of_its_search_over_tfrecords_as_well(tmp_path: Path) -> None:
    source, out = tmp_path / "hyperparameters_search.pickle", tmp_path / "found.toml"
    source.write_bytes(pickle.dumps([2, 1024, 5e-4, 0.9, 1e-3]))
    assert main(["import", str(source), "--out", str(out)]) == 0
    settings = read_fit_settings(out)
    assert (settings.architecture, settings.l2, settings.head_activation) == ("efficientnet_b0", 1e-3, "swish")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps(Loud()), "names builtins.print, which would run code; only plain values are read"),
        (pickle.dumps([1, 2, 3]), "wanted the best values of a search, 8 (epochs, hidden_size, learning_rate"),
        (b"nothing of the kind", "cannot be read as pickled parameters"),
    ],
)
def test_what_is_no_list_of_parameters_is_refused_and_nothing_in_it_runs(
    content: bytes, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "search.pickle"
    source.write_bytes(content)
    assert main(["import", str(source), "--out", str(tmp_path / "found.toml")]) == 2
    told = capfd.readouterr()
    assert said in told.err
    assert "this must not run" not in told.out + told.err.replace(said, "")
    assert not (tmp_path / "found.toml").exists()
