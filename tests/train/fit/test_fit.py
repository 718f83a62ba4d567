"""`python -m train fit`: a folder of classes becomes a model package, whole or not at all."""

import csv
import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eoltag.model.card import KERAS_FILE, OPENVINO_FILES
from eoltag.model.package import Package, read_package
from eoltag.records import InputSpec, Outcome
from tests.support.paths import ROOT
from train.__main__ import main
from train.data.dataset import read_dataset, split
from train.fit.attempts import find_package
from train.package import runtimes as export
from train.package.staging import staged
from train.settings import FitSettings, read_fit_settings

SPEC = InputSpec(16, 16, "stretch", "bilinear")
QUICK = "image_size_px = 16\nfirst_filters = 2\nepochs = 2\nbatch_size = 4\n"


def draw(path: Path, number: int, level: int) -> None:
    """A small picture like no other: coarse noise around a level of brightness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(number).integers(level - 50, level + 50, (8, 9, 3), np.uint8)
    Image.fromarray(cells).resize((20, 20), Image.Resampling.NEAREST).save(path)


def two_classes(folder: Path) -> Path:
    """Two classes that any network can tell apart, six images each."""
    for number in range(6):
        draw(folder / "dark" / f"{number}.png", number, 55)
        draw(folder / "light" / f"{number}.png", 10 + number, 200)
    return folder


def quick(path: Path) -> Path:
    """Settings for two epochs of a very small network."""
    path.write_text(QUICK)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two classes of six images."""
    return two_classes(tmp_path / "data")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two epochs of a very small network."""
    return quick(tmp_path / "quick.toml")


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Package, Package]:
    """Two packages of the same data, settings and seed, augmented, each fitted in a process of its own."""
    root = tmp_path_factory.mktemp("twins")
    config, data = quick(root / "quick.toml"), two_classes(root / "data")
    for name in ("one", "two"):
        more = ("--data", str(data), "--out", str(root / name), "--seed", "7", "--set", "augmentation=simple", "--json")
        done = python_m_train("fit", str(config), *more)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["model_version"] == find_package(root / name).version
        assert "oneDNN" not in done.stderr
    return find_package(root / "one"), find_package(root / "two")


def fit(config: Path, data: Path, out: Path, *more: str) -> int:
    """`python -m train fit ...`."""
    return main(["fit", str(config), "--data", str(data), "--out", str(out), *more])


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the user gets to see."""
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.strip().splitlines()
    assert lines[-1].startswith("error: ")
    assert "Traceback" not in said.err
    return lines[-1]


# --- the package


def test_a_package_is_complete_and_says_what_it_is(small_package: Path, sample_images: Path) -> None:
    package = read_package(small_package)
    card = package.card
    assert card.labels == ("herbarium_sheet", "illustration", "map", "photo", "phylogeny")
    assert card.spec == InputSpec(32, 32, "stretch", "bilinear")
    assert package.engines == ("openvino", "keras")
    assert set(card.files) == {
        KERAS_FILE, *OPENVINO_FILES, "README.md", "data.tsv", "confusion.png", "training_curves.png",
    }  # fmt: skip
    assert (card.temperature, card.output, card.thresholds) == (
        card.metrics["calibration"]["temperature"], "logits", {},
    )  # fmt: skip
    assert card.hyperparameters["first_filters"] == 8
    assert card.hyperparameters["weights"] == "none"
    assert card.hyperparameters["seed"] == 0
    assert {"eoltag", "keras", "openvino", "numpy", "pillow", "python"} <= set(card.versions)
    contents = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in sample_images.rglob("*.*"))
    assert card.data_digest == hashlib.sha256("\n".join(contents).encode()).hexdigest()


def test_it_learned_something(small_package: Path) -> None:
    metrics = read_package(small_package).card.metrics
    assert metrics["val_accuracy"] >= 0.6
    assert metrics["engines_differ_by"] <= 1e-4
    matrix = np.array(metrics["confusion_matrix"])
    assert matrix.sum(axis=1).tolist() == [4, 4, 4, 4, 4]
    assert metrics["val_accuracy"] == pytest.approx(np.trace(matrix) / 20)
    assert metrics["per_class"]["photo"]["recall"] == pytest.approx(matrix[3, 3] / 4)
    assert metrics["per_class"]["photo"]["support"] == 4


def test_the_list_of_images_tells_which_were_trained_on(small_package: Path, sample_images: Path) -> None:
    lines = (small_package / "data.tsv").read_text().splitlines()
    assert lines[0] == "sha256\tsplit\tlabel\tpath"
    rows = [line.split("\t") for line in lines[1:]]
    assert len(rows) == 100
    assert {(row[2], row[1]): sum(r[1:3] == row[1:3] for r in rows) for row in rows} == {
        (label, part): count
        for label in read_package(small_package).card.labels
        for part, count in (("train", 16), ("validation", 4))
    }
    digest, _, label, path = rows[0]
    assert path.startswith(f"{label}/")
    assert hashlib.sha256((sample_images / path).read_bytes()).hexdigest() == digest


def test_the_model_card_shows_counts_scores_and_plots(small_package: Path) -> None:
    text = (small_package / "README.md").read_text()
    card = read_package(small_package).card
    assert f"Validation accuracy {card.metrics['val_accuracy']:.3f}" in text
    assert "| map | 16 | 4 |" in text
    assert f"| **photo** | {' | '.join(map(str, card.metrics['confusion_matrix'][3]))} |" in text
    for plot in ("confusion.png", "training_curves.png"):
        assert f"]({plot})" in text
        with Image.open(small_package / plot) as image:
            assert image.width > 400


def test_the_network_takes_raw_bytes_and_scales_them_itself(small_package: Path) -> None:
    import keras

    model = keras.saving.load_model(small_package / KERAS_FILE, compile=False)
    (given,) = model.inputs
    assert given.dtype == "uint8"
    assert given.shape == (None, 32, 32, 3)
    assert [layer.__class__.__name__ for layer in model.layers] == [
        "InputLayer", "Rescaling", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D",
        "Flatten", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    assert [layer.filters for layer in model.layers if hasattr(layer, "filters")] == [8, 8, 16]
    assert model.get_layer("conv_1").kernel_size == (5, 5)
    assert model.get_layer("dense").units == 64
    assert model.get_layer("to_unit_range").scale == pytest.approx(1 / 255)
    assert model.layers[-1].activation.__name__ == "linear"


def test_the_same_seed_gives_the_same_weights_to_the_bit(twins: tuple[Package, Package]) -> None:
    one, two = twins
    assert one.card.files[KERAS_FILE] == two.card.files[KERAS_FILE]
    assert one.card.files[OPENVINO_FILES[1]] == two.card.files[OPENVINO_FILES[1]]
    assert one.version == two.version
    measured = ({**package.card.metrics, "training": None} for package in twins)
    assert next(measured) == next(measured)


def test_augmentation_is_no_part_of_the_exported_network(twins: tuple[Package, Package]) -> None:
    import keras

    model = keras.saving.load_model(twins[0].path / KERAS_FILE, compile=False)
    assert not [layer for layer in model.layers if layer.__class__.__name__.startswith("Random")]
    assert twins[0].card.hyperparameters["augmentation"] == "simple"


def test_json_is_all_there_is_on_stdout(
    data: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "dark" / "page.jpg").write_text("<html>")
    assert fit(config, data, tmp_path / "out", "--json") == 0
    said = capsys.readouterr()
    summary = json.loads(said.out)
    assert summary["model_version"] == find_package(tmp_path / "out").version
    assert summary["images"] == {"train": 10, "validation": 2}
    assert [(row["path"], row["outcome"]) for row in summary["skipped"]] == [
        (str(data / "dark" / "page.jpg"), "not_image")
    ]
    assert "page.jpg: not_image" in said.err
    assert "whole epoch 2/2" in said.err
    assert (summary["attempt"], summary["package"]) == (str(tmp_path / "out/001"), str(tmp_path / "out/001/package"))


def test_the_best_epoch_is_kept_when_patience_runs_out(data: Path, config: Path, tmp_path: Path) -> None:
    more = ["--set", "learning_rate=0.5", "--set", "epochs=40", "--set", "early_stopping_patience=2"]
    assert fit(config, data, tmp_path / "out", *more) == 0
    card = find_package(tmp_path / "out").card
    assert card.hyperparameters["epochs_run"] < 40


# --- what is refused


def test_a_training_that_diverges_is_said_to_do_so(
    data: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from train import architectures
    from train.fit import loop as learning

    def spoilt(settings: FitSettings, classes: int, feature_length: int = 0) -> Any:
        network = architectures.build(settings, classes, feature_length)
        network.model.get_layer("logits").bias.assign(np.full(2, np.nan))
        return network

    monkeypatch.setattr(learning, "build", spoilt)
    assert fit(config, data, tmp_path / "out") == 2
    assert "training diverged in epoch 1 of the phase 'whole'" in refused(capsys)
    assert sorted(path.name for path in (tmp_path / "out/001").iterdir()) == [
        "config.toml", "started.json", "tensorboard",
    ]  # fmt: skip


def test_engines_that_disagree_stop_the_fit_and_nothing_is_written(
    data: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(package: Package, engine: Any, pixels: Any) -> Any:
        return honest(package, engine, pixels) + (1e-2 if engine == "openvino" else 0)

    honest = export.predict
    monkeypatch.setattr(export, "predict", shifted)
    assert fit(config, data, tmp_path / "out") == 2
    assert "the OpenVINO export differs from Keras by up to 0.01 in a logit" in refused(capsys)
    assert sorted(path.name for path in (tmp_path / "out/001").iterdir()) == [
        "config.toml", "curves.png", "history.csv", "started.json", "tensorboard",
    ]  # fmt: skip
    assert main(["classify", str(tmp_path / "out"), str(data)]) == 2
    assert "none of its attempts is finished" in refused(capsys)


def test_engines_may_differ_by_as_much_as_rounding_in_the_largest_logit_explains() -> None:
    logits = np.array([[30.0, -0.001], [0.5, -0.2]], np.float32)
    assert export.tolerated(logits).tolist() == [[pytest.approx(3e-2)], [pytest.approx(1e-3)]]
    assert not (np.array([1e-3, np.nan]) <= export.tolerated(logits)[0]).all()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochz=3", "unknown key 'epochz'; known here: "),
        ("epochs=0", "key 'epochs'"),
        ("epochs=three", "key 'epochs'"),
        ("fit=squeeze", "key 'fit'"),
        ("dropout=1.0", "key 'dropout'"),
        ("architecture=resnet", "key 'architecture'"),
        ("seed=-1", "key 'seed'"),
        ("head_units=[64]", "head_units: architecture 'scratch' has no base and a head of its own"),
        ("weights=mine.h5", "'scratch' has no base that could take mine.h5"),
        ("fine_tune_epochs=3", "fine_tune_from and fine_tune_epochs: wanted both or neither"),
        ("image_size_px=5", "image_size_px: wanted 0 or 8 and more. Received: 5"),
        ("epochs", "wanted KEY=VALUE. Received: 'epochs'"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(
    data: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, message: str
) -> None:
    assert fit(config, data, tmp_path / "out", "--set", override) == 2
    assert message in refused(capsys)


def test_settings_come_from_the_file_and_then_from_the_command(config: Path) -> None:
    settings = read_fit_settings(config, ["epochs = 9", "name=my model", "learning_rate=1e-2", 'fit="pad"'])
    assert (settings.epochs, settings.name, settings.learning_rate, settings.fit) == (9, "my model", 0.01, "pad")
    assert (settings.image_size_px, settings.first_filters) == (16, 2)


def test_the_defaults_are_those_of_eols_network() -> None:
    settings = FitSettings()
    assert (settings.architecture, settings.side_px, settings.first_filters, settings.dropout) == (
        "scratch",
        150,
        64,
        0.2,
    )


def test_the_demo_settings_can_be_read() -> None:
    settings = read_fit_settings(ROOT / "conf" / "train" / "demo.toml")
    assert (settings.name, settings.architecture, settings.image_size_px) == ("demo", "scratch", 150)
    content = tomllib.loads((ROOT / "conf" / "train" / "demo.toml").read_text())
    assert set(content) <= set(FitSettings.model_fields)


def test_a_missing_config_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(tmp_path / "none.toml", data, tmp_path / "out") == 2
    assert "none.toml" in refused(capsys)


def test_data_without_two_classes_is_refused(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(config, tmp_path / "nowhere", tmp_path / "out") == 2
    assert "nowhere: wanted one folder of images per label" in refused(capsys)
    draw(tmp_path / "data" / "only" / "a.png", 1, 90)
    assert fit(config, tmp_path / "data", tmp_path / "out") == 2
    assert "wanted two folders of images or more" in refused(capsys)


def test_a_class_with_one_usable_image_is_refused(
    data: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(data / "medium" / "a.png", 1, 90)
    draw(data / "medium" / "copy of a.png", 1, 90)
    (data / "medium" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert fit(config, data, tmp_path / "out") == 2
    message = refused(capsys)
    assert "medium: wanted 2 different images or more. Received: 1, and 1 that could not be read" in message


# --- where it is written


def test_each_fit_makes_the_next_attempt(data: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for seed in ("0", "5"):
        assert fit(config, data, out, "--seed", seed) == 0
    assert sorted(path.name for path in out.iterdir()) == ["001", "002", "chosen.json"]
    one, two = (read_package(out / name / "package") for name in ("001", "002"))
    assert (one.card.hyperparameters["seed"], two.card.hyperparameters["seed"]) == (0, 5)
    assert one.version != two.version
    best = max(
        (one, two), key=lambda package: (package.card.metrics["val_accuracy"], -package.card.metrics["val_loss"])
    )
    assert find_package(out).version == best.version
    assert find_package(out / "001").version == one.version
    assert sorted(path.name for path in (out / "002").iterdir()) == [
        "config.toml", "curves.png", "history.csv", "package", "started.json", "tensorboard",
    ]  # fmt: skip


def test_the_config_of_an_attempt_makes_the_same_model_again(data: Path, config: Path, tmp_path: Path) -> None:
    assert fit(config, data, tmp_path / "one", "--seed", "4", "--set", "name=my 'model'", "--set", "dropout=0.4") == 0
    again = tmp_path / "one" / "001" / "config.toml"
    assert read_fit_settings(again) == read_fit_settings(config, ["name=my 'model'", "dropout=0.4"], seed=4)
    assert fit(again, data, tmp_path / "two") == 0
    assert find_package(tmp_path / "one").version == find_package(tmp_path / "two").version


def test_the_history_has_a_line_per_epoch(data: Path, config: Path, tmp_path: Path) -> None:
    assert fit(config, data, tmp_path / "out") == 0
    with (tmp_path / "out/001/history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["phase"], row["epoch"]) for row in rows] == [("whole", "1"), ("whole", "2")]
    card = find_package(tmp_path / "out").card
    best = rows[card.metrics["best_epoch"] - 1]
    assert float(best["val_loss"]) == min(float(row["val_loss"]) for row in rows)
    assert float(best["val_loss"]) == pytest.approx(card.metrics["val_loss"], abs=1e-4)
    assert {path.name for path in (tmp_path / "out/001/tensorboard").iterdir()} == {"train", "validation"}


def test_a_package_is_no_folder_for_attempts(
    data: Path, config: Path, small_package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, data, small_package) == 2
    assert "is a model package itself; wanted a folder for attempts" in refused(capsys)


def test_attempts_among_their_own_images_are_refused(
    data: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, data, data / "model") == 2
    assert "lies in the data folder" in refused(capsys)


def test_what_a_person_has_chosen_stays_chosen_after_the_next_fit(
    data: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert fit(config, data, out) == 0
    assert main(["fit", "--out", str(out), "--choose", "001"]) == 0
    assert fit(config, data, out, "--set", "epochs=4") == 0
    assert f"{out} now means attempt 001, by hand (validation accuracy: 001 " in capsys.readouterr().out
    assert find_package(out).path == out / "001/package"


def test_a_finished_attempt_is_trained_further(data: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert fit(config, data, out) == 0
    assert fit(config, data, out, "--from", str(out / "001"), "--set", "learning_rate=1e-12") == 0
    first, second = (keras_weights(out / name) for name in ("001", "002"))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert json.loads((out / "002/started.json").read_text())["from"] == str(out / "001/package")


def keras_weights(attempt: Path) -> list[Any]:
    """Of its package."""
    import keras

    model = keras.saving.load_model(attempt / "package" / KERAS_FILE, compile=False)
    found: list[Any] = model.get_weights()
    return found


def test_another_network_is_not_trained_further(
    data: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, data, tmp_path / "out") == 0
    capsys.readouterr()
    more = ("--from", str(tmp_path / "out"), "--set", "first_filters=3")
    assert fit(config, data, tmp_path / "out", *more) == 2
    assert "is another network (scratch at 16 pixels) than the settings make" in refused(capsys)


def test_what_fails_halfway_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with staged(tmp_path / "deep" / "out", overwrite=False) as folder:
            (folder / "model.keras").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_staged_folder_can_be_read_by_others(tmp_path: Path) -> None:
    with staged(tmp_path / "out", overwrite=False) as folder:
        (folder / "a").write_text("x")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


# --- data


def test_labels_are_the_sorted_folders_and_hidden_files_are_ignored(data: Path) -> None:
    draw(data / "amber" / "deep" / "down" / "a.png", 30, 150)
    draw(data / "amber" / "b.png", 31, 150)
    draw(data / "amber" / ".thumbs" / "c.png", 32, 150)
    draw(data / ".cache" / "x.png", 33, 150)
    (data / "amber" / ".DS_Store").write_bytes(b"x")
    (data / "notes.txt").write_text("x")
    dataset = read_dataset(data, SPEC)
    assert dataset.labels == ("amber", "dark", "light")
    amber = [example.image.shown for example in dataset.examples if example.image.label == "amber"]
    assert amber == ["amber/b.png", "amber/deep/down/a.png"]
    assert dataset.skipped == ()


def test_pixels_stay_with_their_labels_when_files_are_skipped(data: Path) -> None:
    (data / "dark" / "0.png").write_bytes(b"not an image")
    (data / "dark" / "3.png").write_bytes((data / "dark" / "3.png").read_bytes()[:60])
    dataset = read_dataset(data, SPEC)
    assert [(file.path, file.outcome) for file in dataset.skipped] == [
        (data / "dark/0.png", Outcome.NOT_IMAGE),
        (data / "dark/3.png", Outcome.TRUNCATED),
    ]
    assert dataset.pixels.shape == (10, 16, 16, 3)
    for example, pixels in zip(dataset.examples, dataset.pixels, strict=True):
        assert (pixels.mean() > 150) == (example.image.label == "light")
        shown = np.asarray(Image.open(example.image.path).resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(pixels - shown).max() <= 1


def test_the_split_is_stratified_seeded_and_blind_to_names(data: Path) -> None:
    dataset = read_dataset(data, SPEC)
    train, held = split(dataset, 0.34, 3)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(12))
    assert dataset.counts(held) == {"dark": 2, "light": 2}
    assert dataset.counts(train) == {"dark": 4, "light": 4}
    digests = {dataset.examples[row].sha256 for row in held}
    assert {dataset.examples[row].sha256 for row in split(dataset, 0.34, 4)[1]} != digests
    for number in range(6):
        (data / "dark" / f"{number}.png").rename(data / "dark" / f"renamed {9 - number}.png")
    renamed = read_dataset(data, SPEC)
    assert {renamed.examples[row].sha256 for row in split(renamed, 0.34, 3)[1]} == digests
    assert renamed.digest() == dataset.digest()


def test_copies_of_an_image_fall_on_the_same_side(data: Path) -> None:
    for number in range(6):
        (data / "dark" / f"copy {number}.png").write_bytes((data / "dark" / f"{number}.png").read_bytes())
    dataset = read_dataset(data, SPEC)
    for seed in range(5):
        train, held = ({dataset.examples[row].sha256 for row in rows} for rows in split(dataset, 0.3, seed))
        assert not train & held


@pytest.mark.parametrize(("fraction", "count"), [(0.01, 1), (0.5, 3), (0.99, 5)])
def test_at_least_one_image_is_held_back_and_never_all(data: Path, fraction: float, count: int) -> None:
    dataset = read_dataset(data, SPEC)
    assert dataset.counts(split(dataset, fraction, 0)[1]) == {"dark": count, "light": count}


# --- the command line


def python_m_train(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own; stderr lists every module that was imported."""
    command = [sys.executable, "-X", "importtime", "-m", "train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)


def test_help_teaches_and_does_not_wait_for_tensorflow() -> None:
    done = python_m_train("--help")
    assert done.returncode == 0
    assert "python -m train sample-data artifacts/sample" in done.stdout
    for verb in ("sample-data", "fit", "classify"):
        done = python_m_train(verb, "--help")
        assert f"examples:\n  python -m train {verb}" in done.stdout
        assert not [line for line in done.stderr.splitlines() if line.endswith((" tensorflow", " keras", " openvino"))]


def test_a_mistyped_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["fitt"], ["fit"], ["fit", "a.toml", "--data", "x", "--out", "y", "--sed", "x"]):
        assert main(arguments) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert said.err.startswith("error: ")
        assert "--help)" in said.err


def test_an_interrupted_run_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("train.settings.read_fit_settings", interrupted)
    assert main(["fit", "a.toml", "--data", "x", "--out", "y"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
