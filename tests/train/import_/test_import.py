"""`python -m train import`: foreign models become packages that score as their source does, or one clear line."""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from eoltag.model.engines import load_engine
from eoltag.model.package import Package, read_package, unpack
from eoltag.pipeline.models import Models, ModelSource
from eoltag.pipeline.partition import Job, tag_images
from eoltag.pipeline.rows import ScoreRow
from eoltag.records import FetchRequest, Pixels, Scores, WantedImage
from eoltag.settings import EngineSettings, FetchSettings, Settings
from tests.support.colours import LABELS, SIDE, draw, network
from tests.support.loopback import Loopback
from train.__main__ import main
from train.import_.run import noise_pictures
from train.import_.scaling import Scaling, scale_array


@dataclass(frozen=True)
class Foreign:
    """Models as other toolkits leave them, in one folder."""

    folder: Path
    softmax: Any
    """keras.Model of `softmax.keras`, `softmax.h5` and the SavedModel `softmax`; takes float32."""
    logits: Any
    """keras.Model of `logits.keras` and the SavedModel `logits`."""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    """Made by Keras and TensorFlow."""
    folder = tmp_path_factory.mktemp("foreign")
    softmax, logits = network("softmax", "float32"), network(None, "float32")
    for form in ("softmax.keras", "softmax.h5"):
        softmax.save(folder / form)
    logits.save(folder / "logits.keras")
    softmax.export(folder / "softmax", verbose=False)
    logits.export(folder / "logits", verbose=False)
    return Foreign(folder, softmax, logits)


def arguments(source: Path, out: Path, **changes: str) -> list[str]:
    """The command line; options by keyword."""
    options = {"labels": ",".join(LABELS), "scaling": "unit", "output": "softmax", "out": str(out), **changes}
    return ["import", str(source), *(word for name, value in options.items() for word in (f"--{name}", value))]


def imported(source: Path, out: Path, **changes: str) -> Package:
    """The package that the verb makes."""
    assert main(arguments(source, out, **changes)) == 0
    return read_package(out)


def scores(package: Package, engine: Any, pixels: Pixels) -> Scores:
    """By that engine of the Spark job."""
    loaded = load_engine(engine, unpack(package.pack(engine)), batch_size=16, threads=1, keras_backend="tensorflow")
    return loaded.predict(pixels)


def pictures() -> Pixels:
    """Eight different ones, not those that `import` itself compares."""
    return np.random.default_rng(9).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8)


@pytest.fixture(scope="module")
def one_unit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with one output as .keras and SavedModel: with a sigmoid, and without; and one with two sigmoids."""
    import keras

    folder = tmp_path_factory.mktemp("one_unit")
    whole = network(None, "float32")
    for name, units, activation in (("share", 1, "sigmoid"), ("raw", 1, None), ("two", 2, "sigmoid")):
        score = keras.layers.Dense(units, activation=activation, name=f"{name}_unit")(whole.output)
        model = keras.Model(whole.input, score)
        kernel = np.array(
            [[1, 0.5], [-1, 0], [0, -1]], np.float32
        )  # not drawn: shares near 0 or 1 would differ by nothing
        model.get_layer(f"{name}_unit").set_weights([kernel[:, :units], np.zeros(units, np.float32)])
        model.save(folder / f"{name}.keras")
        model.export(folder / name, verbose=False)
    return folder


@pytest.mark.parametrize("form", ["share.keras", "share", "raw.keras", "raw"])
def test_one_output_for_two_labels_is_the_share_of_the_second(form: str, one_unit: Path, tmp_path: Path) -> None:
    import keras

    output = "sigmoid" if form.startswith("share") else "logits"
    package = imported(one_unit / form, tmp_path / "package", labels="no,yes", output=output)
    shares = keras.models.load_model(one_unit / "share.keras").predict_on_batch(scale_array(pictures(), "unit"))
    raw = keras.models.load_model(one_unit / "raw.keras").predict_on_batch(scale_array(pictures(), "unit"))
    wanted = shares[:, 0] if output == "sigmoid" else 1 / (1 + np.exp(-raw[:, 0]))
    logits = scores(package, "openvino", pictures())
    assert logits.shape == (8, 2)
    np.testing.assert_allclose([one.scores["yes"] for one in package.card.verdicts(logits)], wanted, atol=1e-5)
    assert wanted.max() - wanted.min() > 0.01, "different pictures"


@pytest.mark.parametrize("form", ["two.keras", "two"])
def test_several_sigmoids_are_labels_by_themselves(form: str, one_unit: Path, tmp_path: Path) -> None:
    import keras

    package = imported(one_unit / form, tmp_path / "package", labels="flower,fruit", output="labels")
    assert package.card.output_kind == "labels"
    wanted = keras.models.load_model(one_unit / "two.keras").predict_on_batch(scale_array(pictures(), "unit"))
    logits = scores(package, "openvino", pictures())
    found = [[one.scores["flower"], one.scores["fruit"]] for one in package.card.verdicts(logits)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.abs(np.sum(found, axis=1) - 1).max() > 0.003, "no softmax"


@pytest.mark.parametrize(
    ("form", "output", "labels", "said"),
    [
        ("two.keras", "logits", "a,b", "so each is the probability of a label by itself"),
        ("two.keras", "softmax", "a,b", "so each is the probability of a label by itself"),
        ("two", "sigmoid", "a,b", "wanted a model with one output and two labels"),
        ("share.keras", "logits", "a,b", "so it is a probability; wanted --output sigmoid"),
        ("raw.keras", "sigmoid", "a,b", "its outputs are no probabilities"),
        ("share.keras", "sigmoid", "a,b,c", "wanted a model with one output and two labels"),
    ],
)
def test_shares_are_not_taken_for_raw_scores(
    form: str, output: str, labels: str, said: str, one_unit: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(one_unit / form, tmp_path / "out", labels=labels, output=output)) == 2
    assert said in capfd.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["softmax.keras", "softmax.h5", "softmax"])
def test_probabilities_become_logits_with_the_same_probabilities(form: str, foreign: Foreign, tmp_path: Path) -> None:
    package = imported(foreign.folder / form, tmp_path / "package")
    assert package.engines == (("openvino",) if form == "softmax" else ("openvino", "keras"))
    assert package.card.labels == LABELS
    assert package.card.name == "package"
    assert (package.card.input.height, package.card.input.width) == (SIDE, SIDE)
    wanted = foreign.softmax.predict_on_batch(pictures() / np.float32(255))
    for engine in package.engines:
        np.testing.assert_allclose(np.exp(scores(package, engine, pictures())), wanted, atol=1e-5)


def test_the_same_model_as_keras_file_and_as_h5_has_the_same_version(foreign: Foreign, tmp_path: Path) -> None:
    versions = {imported(foreign.folder / form, tmp_path / form).version for form in ("softmax.keras", "softmax.h5")}
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("form", "scaling"),
    [("logits.keras", "caffe"), ("logits", "caffe"), ("logits", "torch"), ("logits", "signed")],
)
def test_raw_scores_stay_as_they_are_under_every_scaling(
    form: str, scaling: Scaling, foreign: Foreign, tmp_path: Path
) -> None:
    package = imported(foreign.folder / form, tmp_path / "package", scaling=scaling, output="logits")
    wanted = foreign.logits.predict_on_batch(scale_array(pictures(), scaling))
    assert np.ptp(wanted, axis=0).min() > 0.01
    for engine in package.engines:
        np.testing.assert_allclose(scores(package, engine, pictures()), wanted, rtol=1e-4, atol=1e-4)


def test_scalings_are_those_of_keras_applications() -> None:
    from keras.applications.imagenet_utils import preprocess_input

    for scaling, mode in (("signed", "tf"), ("torch", "torch"), ("caffe", "caffe")):
        wanted = preprocess_input(pictures().astype(np.float32), data_format="channels_last", mode=mode)
        np.testing.assert_allclose(scale_array(pictures(), scaling), wanted, atol=1e-4)
    assert scale_array(pictures(), "unit").max() == 1.0
    assert scale_array(pictures(), "none").max() == 255.0


@pytest.mark.parametrize("form", ["softmax.h5", "softmax"])
def test_an_imported_model_runs_in_the_main_job_with_the_scores_of_its_source(
    form: str, foreign: Foreign, tmp_path: Path
) -> None:
    package = imported(foreign.folder / form, tmp_path / "package")
    paths = draw(tmp_path / "served", 6, contrast=20, seed=4)
    settings = Settings(fetch=FetchSettings(allow_private_hosts=True), engine=EngineSettings(batch_size=4))

    @dataclass
    class Held:
        value: bytes

    source = ModelSource("openvino", package.card, whole=Held(package.pack("openvino", "auto")))
    job = Job(Models({package.version: source}, (), settings.engine, threads=1), settings)
    path_of = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in paths}
    with Loopback(tmp_path / "served") as server:
        wanted = [WantedImage(FetchRequest(server.url(path.name))) for path in paths]
        found = [row for _, row in tag_images(wanted, job, rate_share=1.0) if isinstance(row, ScoreRow)]
    assert len(found) == len(path_of) == 6
    labels = set()
    for row in found:
        pixels = np.asarray(Image.open(path_of[row.content_sha256]), np.float32) / 255
        expected = foreign.softmax.predict_on_batch(pixels[None])[0]
        (verdict,) = package.card.verdicts(row.scores[None])
        assert (row.engine, row.precision) == ("openvino", "f32")
        assert verdict.label == LABELS[int(expected.argmax())]
        assert verdict.scores == pytest.approx(dict(zip(LABELS, expected.tolist(), strict=True)), abs=1e-5)
        labels.add(verdict.label)
    assert len(labels) == 3


def test_labels_may_come_from_a_file_and_the_size_from_the_command_line(tmp_path: Path) -> None:
    import keras

    pixels = keras.Input((None, None, 3))
    any_size = keras.Model(pixels, keras.layers.Dense(3)(keras.layers.GlobalMaxPooling2D()(pixels)))
    any_size.save(tmp_path / "any.keras")
    (tmp_path / "labels.txt").write_text("red\ngreen\n\nblue\n")
    out = tmp_path / "package"
    package = imported(
        tmp_path / "any.keras", out, labels=str(tmp_path / "labels.txt"), size="24x32", output="logits", fit="crop"
    )
    assert package.card.labels == LABELS
    assert (package.card.input.height, package.card.input.width, package.card.input.fit) == (24, 32, "crop")
    assert main(arguments(tmp_path / "any.keras", tmp_path / "other", output="logits")) == 2


def test_json_is_one_document(foreign: Foreign, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments(foreign.folder / "logits", tmp_path / "p", output="logits"), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["kind"] == "TensorFlow SavedModel"
    assert done["input"] == [SIDE, SIDE]
    assert done["images_compared"] == len(noise_pictures(16, 8, 8))
    assert 0 <= done["differs_by"] < 1e-4


def hub_model(folder: Path) -> Any:
    """A SavedModel built as EOL's are: a loaded TensorFlow Hub layer, then a dense layer without softmax.

    The layer is a SavedModel of its own, read again and called; with batch normalisation, which knows training and
    use, and with a state that only training touches.
    """
    import tensorflow as tf

    rng = np.random.default_rng(3)

    class Layer(tf.Module):
        def __init__(self) -> None:
            self.kernel = tf.Variable(rng.normal(size=(3, 3, 3, 8)).astype(np.float32) / 3)
            self.mean, self.variance = tf.Variable(tf.fill([8], 0.2)), tf.Variable(tf.fill([8], 0.5))

        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3)), tf.TensorSpec((), tf.bool)])
        def __call__(self, pixels: Any, training: Any) -> Any:
            maps = tf.nn.relu6(tf.nn.conv2d(pixels, self.kernel, 2, "SAME"))

            def learning() -> Any:
                found = tf.compat.v1.nn.fused_batch_norm(maps, tf.ones(8), tf.zeros(8), is_training=True)
                self.mean.assign(0.99 * self.mean + 0.01 * found[1])
                return found[0]

            def in_use() -> Any:
                ones, zeros = tf.ones(8), tf.zeros(8)
                known = (self.mean, self.variance)
                return tf.compat.v1.nn.fused_batch_norm(maps, ones, zeros, *known, is_training=False)[0]

            return tf.reduce_mean(tf.cond(training, learning, in_use), [1, 2])

    tf.saved_model.save(Layer(), str(folder / "layer"))

    class Model(tf.Module):
        def __init__(self) -> None:
            self.keras_layer = tf.saved_model.load(str(folder / "layer"))
            self.dense = tf.Variable(rng.normal(size=(8, len(LABELS))).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3), name="keras_layer_input")])
        def serve(self, pixels: Any) -> Any:
            return {"dense": self.keras_layer(pixels, False) @ self.dense}

    model = Model()
    tf.saved_model.save(model, str(folder / "model"), {"serving_default": model.serve})
    return model


def test_a_saved_model_around_a_layer_of_tensorflow_hub_gives_its_raw_scores(tmp_path: Path) -> None:
    model = hub_model(tmp_path)
    package = imported(tmp_path / "model", tmp_path / "package", scaling="signed", output="logits")
    wanted = model.serve(scale_array(pictures(), "signed"))["dense"].numpy()
    assert np.ptp(wanted, axis=0).min() > 0.01
    np.testing.assert_allclose(scores(package, "openvino", pictures()), wanted, rtol=1e-4, atol=1e-4)


def hub_file(path: Path, source: Path) -> Path:
    """An H5 file whose first layer is one of TensorFlow Hub, as EOL's notebooks would have written."""
    path.write_bytes(source.read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["class_name"] = "KerasLayer"
        file.attrs["model_config"] = json.dumps(config)
    return path


def lambda_file(path: Path) -> Path:
    """A file that would run code."""
    import keras

    pixels = keras.Input((SIDE, SIDE, 3))
    inside = keras.layers.GlobalMaxPooling2D()(keras.layers.Lambda(lambda x: x + 1)(pixels))
    keras.Model(pixels, inside).save(path)
    return path


def two_inputs(path: Path) -> Path:
    """A model of pairs of images."""
    import keras

    pair = [keras.Input((SIDE, SIDE, 3)) for _ in range(2)]
    keras.Model(pair, keras.layers.GlobalMaxPooling2D()(keras.layers.Add()(pair))).save(path)
    return path


def reader(folder: Path) -> Path:
    """A SavedModel that reads files."""
    import tensorflow as tf

    class Reader(tf.Module):  # type: ignore[misc]
        """Classifies the length of a file."""

        @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32)])  # type: ignore[untyped-decorator]
        def score(self, pixels: Any) -> Any:
            length = tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)
            return tf.reduce_mean(pixels, [1, 2]) + length

    module = Reader()
    tf.saved_model.save(module, str(folder), signatures=module.score)
    return folder


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "softmax.keras": (
        {"labels": "red,green"},
        "wanted one output for each of 2 labels (red, green). Received: 3 outputs",
    ),
    "softmax": ({"labels": "a,b,c,d"}, "wanted one output for each of 4 labels (a, b, c, d). Received: 3 outputs"),
    "softmax.h5": ({"output": "logits"}, "its outputs sum to 1 for every image, so they are probabilities"),
    "logits": ({}, "its outputs are no probabilities"),
    "logits.keras": ({"size": "224"}, "takes 16 x 16 pixels. Received: --size 224"),
    "hub.h5": ({}, "holds a TensorFlow Hub layer, which Keras 3 has no more; load it where it was made and write"),
    "lambda.keras": ({}, "holds a Lambda layer, which would run code"),
    "lambda.h5": ({}, "holds a Lambda layer, which would run code"),
    "pair.keras": ({}, "wanted a model with one input and one output. Received: 2 inputs"),
    "only.weights.h5": ({}, "weights only, no network"),
    "reader": ({}, "holds the operations ReadFile, which reach beyond its images; refused"),
    "broken.keras": ({}, "not a Keras file that holds a whole model (Unable to"),
    "broken.h5": ({}, "not a Keras file that holds a whole model"),
    "unknown.keras": ({}, "cannot read it ("),
    "broken": ({}, "saved_model.pb cannot be read"),
    "model.pkl": ({}, "pickled files are refused"),
    "cp-0030.ckpt.index": ({}, "a TensorFlow checkpoint holds weights without their network"),
    "softmax/saved_model.pb": ({}, "wanted a SavedModel folder, a .keras file or an .h5 file; give its folder"),
    "empty": ({}, "wanted a TensorFlow SavedModel, a folder with saved_model.pb in it"),
    "gone.keras": ({}, "no such file or folder"),
}


@pytest.fixture(scope="module")
def bad(foreign: Foreign) -> Path:
    """The folder of the models above, with what cannot be imported beside them."""
    folder = foreign.folder
    hub_file(folder / "hub.h5", folder / "softmax.h5")
    for form in ("lambda.keras", "lambda.h5"):
        lambda_file(folder / form)
    two_inputs(folder / "pair.keras")
    foreign.softmax.save_weights(folder / "only.weights.h5")
    reader(folder / "reader")
    for name in ("broken.keras", "broken.h5", "model.pkl", "cp-0030.ckpt.index"):
        (folder / name).write_bytes(b"nothing of the kind")
    with zipfile.ZipFile(folder / "unknown.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Mystery", "config": {}}))
    for name in ("broken", "empty"):
        (folder / name).mkdir()
    (folder / "broken" / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    return folder


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_imported_is_told_in_one_line_and_nothing_is_written(
    name: str, bad: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    changes, said = REFUSED[name]
    assert main(arguments(bad / name, tmp_path / "out", **changes)) == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {bad / name}: ")
    assert said in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": "red"}, "--labels: wanted two labels or more"),
        ({"labels": "red,,blue"}, "--labels: wanted two labels or more"),
        ({"labels": "red,blue,red"}, "--labels: every label once was wanted. Received twice: red"),
        ({"size": "7"}, "--size: wanted N or HEIGHTxWIDTH, 8 to 4096 pixels each. Received: '7'"),
        ({"size": "big"}, "Received: 'big'"),
        ({"scaling": "half"}, "argument --scaling: invalid choice: 'half'"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    changes: dict[str, str], said: str, foreign: Foreign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(foreign.folder / "softmax.keras", tmp_path / "out", **changes)) == 2
    assert said in capsys.readouterr().err


def test_a_package_is_no_foreign_model(
    colour_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(colour_package, tmp_path / "out")) == 2
    assert "is a model package already" in capsys.readouterr().err
