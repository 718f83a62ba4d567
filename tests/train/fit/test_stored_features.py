"""`fit --features`: a head from stored features and a table of labels, without a single image."""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoltag.model.card import HEAD_KERAS_FILE, HEAD_OPENVINO_FILES
from eoltag.model.engines import load_base, load_head
from eoltag.model.package import Package, unpack
from eoltag.records import InputSpec, Vectors
from tests.support.bases import HEAD_CONFIG, SIDE_PX, save_base_weights
from tests.support.pictures import save_two_classes
from tests.support.stored_features import StoredOutput, content_of, url_of
from train.__main__ import main
from train.data.class_weights import judged_weights
from train.data.dataset import read_dataset, split
from train.data.label_table import read_label_table
from train.data.stored_features import read_stored_dataset
from train.fit.attempts import find_package
from train.package.runtimes import predict
from train.settings import FitSettings, read_fit_settings

IMPORTED = 'features_of = "bioclip-2"\nepochs = 8\nbatch_size = 8\nlearning_rate = 0.05\n'
COUNT = 40
LENGTH = 6


def write_labels(path: Path, rows: Sequence[Sequence[str]], columns: Sequence[str]) -> Path:
    """A CSV."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return path


def fit(config: Path, output: Path, labels: Path, out: Path, *more: str) -> int:
    """`python -m train fit --features ...`."""
    return main(
        ["fit", str(config), "--features", str(output), "--labels", str(labels), "--out", str(out), *more]
    )  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the user gets to see."""
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ")
    assert "Traceback" not in "".join(said)
    return said[-1]


# --- an imported base: the package is a head alone


def vectors_of_two_kinds(count: int) -> Vectors:
    """Even rows to one side, odd ones to the other."""
    sides = np.where(np.arange(count) % 2, 1.0, -1.0)[:, None]
    found: Vectors = (sides + np.random.default_rng(0).normal(0, 0.3, (count, LENGTH))).astype(np.float32)
    return found


CONTENTS = [content_of(number) for number in range(COUNT)]


@pytest.fixture
def stored(tmp_path: Path) -> StoredOutput:
    """40 images in two bundles, their features imported."""
    output = StoredOutput(tmp_path / "output")
    output.add_features("bioclip-2", CONTENTS[:25], vectors_of_two_kinds(COUNT)[:25])
    output.add_features("bioclip-2", CONTENTS[25:], vectors_of_two_kinds(COUNT)[25:])
    output.add_images(CONTENTS)
    for bundle, numbers in (("a", range(30)), ("b", range(20, COUNT))):
        rows = [{"eolMediaURL": url_of(number), "identifier": f"EOL-{number}"} for number in numbers]
        output.add(f"bundles/bundle={bundle}", rows)
    return output


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A head on the imported features."""
    (tmp_path / "head.toml").write_text(IMPORTED)
    return tmp_path / "head.toml"


def kind(number: int) -> str:
    """What image `number` shows."""
    return "flower" if number % 2 else "leaf"


def by_content(path: Path, count: int = COUNT) -> Path:
    """Labels of the first images."""
    rows = [(CONTENTS[number], kind(number)) for number in range(count)]
    return write_labels(path / "labels.csv", rows, ("content_sha256", "label"))


def test_a_head_on_imported_features_is_a_package_that_scores_such_features(
    stored: StoredOutput, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, stored.root, by_content(tmp_path), tmp_path / "out", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    package = find_package(tmp_path / "out")
    assert package.is_head_only
    assert {HEAD_KERAS_FILE, *HEAD_OPENVINO_FILES} < set(package.card.files)
    assert (package.card.base_version, package.card.feature_length) == ("bioclip-2", LENGTH)
    assert (summary["base_version"], summary["images"]) == ("bioclip-2", {"train": 32, "validation": 8})
    assert summary["val_accuracy"] == package.card.metrics["val_accuracy"] == 1.0
    assert package.card.labels == ("flower", "leaf")
    assert package.card.temperature == package.card.metrics["calibration"]["temperature"]
    head = load_head(
        "openvino", unpack(package.pack("openvino", part="head")), batch_size=8, threads=1, keras_backend="tensorflow"
    )
    best = head.logits(vectors_of_two_kinds(COUNT)).argmax(axis=1)
    assert best.tolist() == [package.card.labels.index(kind(number)) for number in range(COUNT)]
    text = (package.path / "README.md").read_text()
    assert "It takes stored features of the base `bioclip-2` (6 numbers an image)" in text
    assert "classify" not in text


def test_a_head_alone_is_told_from_a_classifier_of_pictures(
    stored: StoredOutput, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(config, stored.root, by_content(tmp_path), tmp_path / "out") == 0
    save_two_classes(tmp_path / "pictures", 1)
    assert main(["classify", str(tmp_path / "out"), str(tmp_path / "pictures")]) == 2
    assert "has a head alone, for stored features of the base 'bioclip-2'" in refused(capsys)
    header = (tmp_path / "out/001/config.toml").read_text().splitlines()[0]
    assert header.startswith(f"# python -m train fit THIS_FILE --features {stored.root} --labels ")


@pytest.mark.parametrize("column", ["eolMediaURL", "url", "identifier"])
def test_images_may_be_named_by_url_or_identifier(stored: StoredOutput, tmp_path: Path, column: str) -> None:
    name = "EOL-{}" if column == "identifier" else url_of(0).replace("0", "{}")
    rows = [(kind(number), name.format(number)) for number in range(COUNT)]
    table = read_label_table(write_labels(tmp_path / "labels.csv", rows, ("label", column)))
    dataset = read_stored_dataset(stored.root, "bioclip-2", table)
    assert sorted(example.sha256 for example in dataset.examples) == sorted(CONTENTS)
    assert dataset.vectors is not None
    for example, vector in zip(dataset.examples, dataset.vectors, strict=True):
        number = CONTENTS.index(example.sha256)
        assert (example.image.label, example.image.shown) == (kind(number), name.format(number))
        assert np.array_equal(vector, vectors_of_two_kinds(COUNT)[number].astype(np.float16))


def test_groups_stay_on_one_side_and_judged_images_may_count_more(stored: StoredOutput, tmp_path: Path) -> None:
    rows = [(CONTENTS[n], kind(n), "yes" if n < 10 else "", f"g{n // 4}") for n in range(COUNT)]
    table = read_label_table(
        write_labels(tmp_path / "labels.csv", rows, ("content_sha256", "label", "judged", "group"))
    )
    dataset = read_stored_dataset(stored.root, "bioclip-2", table)
    train, validation = split(dataset, 0.25, seed=1)
    groups = [{dataset.examples[at].image.group for at in side} for side in (train, validation)]
    assert not groups[0] & groups[1]
    assert len(groups[0] | groups[1]) == COUNT // 4
    weights = judged_weights(3.0, dataset.is_judged).tolist()
    assert weights == [3.0 if CONTENTS.index(example.sha256) < 10 else 1.0 for example in dataset.examples]


def test_a_url_stands_for_what_it_last_gave_whatever_failed_since(stored: StoredOutput, tmp_path: Path) -> None:
    fresh = content_of("fresh")
    stored.add_images([content_of("older")], minutes=-10)
    stored.add_images([fresh], minutes=10)
    stored.add_images([None], minutes=20)
    stored.add_features("bioclip-2", [fresh], np.full((1, LENGTH), 9.0))
    rows = [(url_of(number), kind(number)) for number in range(4)]
    table = read_label_table(write_labels(tmp_path / "labels.csv", rows, ("url", "label")))
    dataset = read_stored_dataset(stored.root, "bioclip-2", table)
    assert {example.sha256 for example in dataset.examples} == {fresh, *CONTENTS[1:4]}


def test_images_without_features_are_counted_and_left_out(
    stored: StoredOutput, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored.add_images([content_of("other model only"), None], first=COUNT)
    rows = [(url_of(number), kind(number)) for number in range(COUNT + 5)]
    table = read_label_table(write_labels(tmp_path / "labels.csv", rows, ("url", "label")))
    assert len(read_stored_dataset(stored.root, "bioclip-2", table).examples) == COUNT
    assert "5 of 45 labelled images have no stored features" in capsys.readouterr().err


def test_the_split_of_the_table_is_kept_and_its_test_images_are_not_looked_at(
    stored: StoredOutput, tmp_path: Path
) -> None:
    words = ["train"] * 20 + ["Validation"] * 10 + ["test"] * 10
    rows = [(CONTENTS[number], kind(number), words[number]) for number in range(COUNT)]
    table = read_label_table(write_labels(tmp_path / "labels.csv", rows, ("content_sha256", "label", "split")))
    dataset = read_stored_dataset(stored.root, "bioclip-2", table)
    train, validation = split(dataset, 0.5, 0)
    assert {dataset.examples[row].sha256 for row in train} == set(CONTENTS[:20])
    assert {dataset.examples[row].sha256 for row in validation} == set(CONTENTS[20:30])


def test_pictures_with_one_perceptual_hash_stay_on_one_side_unless_they_are_flat(
    stored: StoredOutput, tmp_path: Path
) -> None:
    like = [content_of(("like", number)) for number in range(6)]
    stored.add_features("bioclip-2", like, np.ones((6, LENGTH)))
    stored.add_images(like, first=100, perceptual_hash="00ff00ff00ff00ff")
    flat = [content_of(("flat", number)) for number in range(6)]
    stored.add_features("bioclip-2", flat, np.ones((6, LENGTH)))
    stored.add_images(flat, first=200, perceptual_hash="0" * 16)
    rows = [(content, kind(number)) for number, content in enumerate([*CONTENTS, *like, *flat])]
    table = read_label_table(write_labels(tmp_path / "labels.csv", rows, ("content_sha256", "label")))
    dataset = read_stored_dataset(stored.root, "bioclip-2", table)
    flat_sides = set()
    for seed in range(5):
        held = {dataset.examples[row].sha256 for row in split(dataset, 0.5, seed)[1]}
        assert len(held & set(like)) in (0, 6)
        flat_sides.add(len(held & set(flat)))
    assert not flat_sides <= {0, 6}


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        (("url", "label", "splt"), [], "unknown column 'splt'; known here: label, split, judged, group, "),
        (("url",), [], "wanted the column label and one of content_sha256, eolMediaURL, url, "),
        (("url", "identifier", "label"), [], "wanted the column label and one of content_sha256"),
        (("url", "label"), [], "wanted two labels or more. Received: none"),
        (("url", "label"), [("a", "x"), ("b", "x")], "wanted two labels or more. Received: x"),
        (("url", "label"), [("a", "x"), ("", "y")], "line 3: wanted a value in the column url. Received: none"),
        (("url", "label"), [("a", "x"), ("b",)], "line 3: wanted 2 fields"),
        (("url", "label", "split"), [("a", "x", "trian")], "line 2: split: wanted train, validation or test. "),
        (("url", "label"), [("https://a", "x"), ("https://b", "y")], "2 of 2 labelled images have no stored features "),
        (
            ("content_sha256", "label"),
            [(CONTENTS[0], "x"), (CONTENTS[1], "x"), (CONTENTS[2], "y")],
            "label 'y': wanted 2 different images or more with stored features. Received: 1",
        ),
        (
            ("content_sha256", "label"),
            [(CONTENTS[0], "x"), (CONTENTS[1], "x"), (CONTENTS[0], "y"), (CONTENTS[2], "y")],
            "lines 2 and 4 say 'x' and 'y' of the same picture (content ",
        ),
    ],
)  # fmt: skip
def test_a_table_of_labels_that_cannot_be_used_is_one_line(
    stored: StoredOutput, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    columns: Sequence[str], rows: Sequence[Sequence[str]], message: str,
) -> None:  # fmt: skip
    labels = write_labels(tmp_path / "labels.csv", rows, columns)
    assert fit(config, stored.root, labels, tmp_path / "out") == 2
    assert f"{labels}: {message}" in refused(capsys)
    assert not (tmp_path / "out").exists()


def test_two_urls_of_one_picture_may_not_have_two_labels(stored: StoredOutput, tmp_path: Path) -> None:
    stored.add_images([CONTENTS[0]], first=99)
    rows = [(url_of(number), kind(number)) for number in (0, 1, 2, 3)]
    table = write_labels(tmp_path / "labels.csv", [*rows, (url_of(99), "flower")], ("url", "label"))
    with pytest.raises(Exception, match=r"lines 2 and 6 say 'leaf' and 'flower' of the same picture"):
        read_stored_dataset(stored.root, "bioclip-2", read_label_table(table))


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.zeros(5, "<f2"), "wanted 6 numbers in float16 (12 bytes) for each image. Received: 10 bytes for content "),
        (np.array([0, 0, np.nan, 0, 0, 0], "<f2"), "wanted finite numbers. Received: others in the features of 1 im"),
        (np.array([0, 0, np.inf, 0, 0, 0], "<f2"), "wanted finite numbers. Received: others in the features of 1 im"),
    ],
)  # fmt: skip
def test_features_that_are_broken_are_one_line(
    stored: StoredOutput, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], vector: Any, message: str
) -> None:
    broken = "f" * 64  # the last of all contents, so that the length is that of the others
    stored.add_features("bioclip-2", [broken], vector[None])
    rows = [*((CONTENTS[number], kind(number)) for number in range(6)), (broken, "leaf")]
    labels = write_labels(tmp_path / "labels.csv", rows, ("content_sha256", "label"))
    assert fit(config, stored.root, labels, tmp_path / "out") == 2
    assert message in refused(capsys)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("features_of=bioclip-1", "wanted features of base bioclip-1 (features_of). Found: bioclip-2"),
        ("features_of=bio clip", "features_of: wanted up to 64 letters, digits and _ . -"),
        ("architecture=mobilenet", "architecture: features of 'bioclip-2' are trained on, no pictures"),
        ("augmentation=photo", "augmentation: features of 'bioclip-2' are trained on, no pictures"),
        ("features_of=", "wanted an architecture with pretrained weights, or features_of for an imported base"),
    ],
)
def test_settings_that_do_not_fit_imported_features_are_one_line(
    stored: StoredOutput, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    assert fit(config, stored.root, by_content(tmp_path), tmp_path / "out", "--set", change) == 2
    assert message in refused(capsys)


def test_words_that_do_not_go_together_are_one_line(
    stored: StoredOutput, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, labels = str(stored.root), str(by_content(tmp_path))
    words = ["fit", str(config), "--out", str(tmp_path / "out")]
    for more, message in (
        (["--features", output], "wanted --features and --labels together, or --data"),
        (["--data", output, "--labels", labels], "wanted --features and --labels together, or --data"),
        (["--data", output], "features_of: names stored features; wanted --features and --labels. Received: --data"),
        (["--features", output, "--labels", labels, "--preview", "x.jpg"], "--preview: draws pictures; wanted --data"),
        (["--features", str(tmp_path / "none"), "--labels", labels], "none: wanted an output directory of eoltag"),
        (["--features", output, "--labels", str(tmp_path / "none.csv")], "none.csv: wanted a CSV file of labels"),
    ):
        assert main([*words, *more]) == 2
        assert message in refused(capsys)


def test_a_training_on_features_is_gone_on_with(
    stored: StoredOutput, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> Any:
        raise KeyboardInterrupt

    labels = by_content(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("train.fit.run._packaged", kill)
        assert fit(config, stored.root, labels, tmp_path / "out") == 130
    assert fit(config, stored.root, labels, tmp_path / "out", "--resume") == 0
    assert fit(config, stored.root, labels, tmp_path / "whole") == 0
    assert find_package(tmp_path / "out").version == find_package(tmp_path / "whole").version


# --- a base of ours: the package is whole


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of ten pictures, the weights of a base, and a config for its head."""
    root = tmp_path_factory.mktemp("pictures")
    save_base_weights(root / "small.weights.h5")
    for path in save_two_classes(root / "images", 10).rglob("*.jpg"):
        path.rename(path.with_name(f"{hashlib.sha256(path.read_bytes()).hexdigest()}.jpg"))  # in the order of contents
    (root / "head.toml").write_text(f'{HEAD_CONFIG}weights = "{root / "small.weights.h5"}"\n')
    return root


@pytest.fixture(scope="module")
def by_images(pictures: Path) -> Package:
    """What `fit` makes of the pictures."""
    words = ["fit", str(pictures / "head.toml"), "--data", str(pictures / "images"), "--out", str(pictures / "whole")]
    assert main(words) == 0
    return find_package(pictures / "whole")


@pytest.fixture(scope="module")
def by_features(pictures: Path, by_images: Package) -> Package:
    """What `fit` makes of their features, with the same split."""
    dataset = read_dataset(pictures / "images", InputSpec(SIDE_PX, SIDE_PX, "stretch", "bilinear"))
    settings = read_fit_settings(pictures / "head.toml")
    held = set(split(dataset, settings.validation_fraction, settings.seed)[1].tolist())
    packed = unpack(by_images.pack("openvino", part="base"))
    base = load_base("openvino", packed, batch_size=32, threads=1, keras_backend="tensorflow")
    contents = [example.sha256 for example in dataset.examples]
    output = StoredOutput(pictures / "output")
    output.add_features(by_images.card.base_version, contents, base.features(dataset.pixels))
    rows = [
        (example.sha256, example.image.label, "val" if row in held else "train")
        for row, example in enumerate(dataset.examples)
    ]
    labels = write_labels(pictures / "labels.csv", rows, ("content_sha256", "label", "split"))
    assert fit(pictures / "head.toml", output.root, labels, pictures / "stored") == 0
    return find_package(pictures / "stored")


def test_a_head_on_features_of_our_base_is_a_whole_package(by_features: Package, by_images: Package) -> None:
    assert by_features.has_base
    assert by_features.engines == ("openvino", "keras")
    assert by_features.card.base_version == by_images.card.base_version
    assert set(by_features.card.files) == set(by_images.card.files)
    assert by_features.card.data_digest == by_images.card.data_digest
    assert by_features.card.spec == by_images.card.spec


def test_it_scores_pictures_as_a_training_on_the_pictures_does(
    by_features: Package, by_images: Package, pictures: Path
) -> None:
    dataset = read_dataset(pictures / "images", by_images.card.spec)
    one, other = (predict(package, "openvino", dataset.pixels) for package in (by_features, by_images))
    assert np.ptp(one, axis=0).max() > 0.1
    np.testing.assert_allclose(one, other, atol=0.05)
    for key in ("val_accuracy", "confusion_matrix"):
        assert by_features.card.metrics[key] == by_images.card.metrics[key]


def test_features_of_another_base_are_named(
    pictures: Path, by_features: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (pictures / "head.toml", pictures / "output", pictures / "labels.csv", tmp_path / "out")
    assert fit(*words, "--set", "pooling=max") == 2
    said = refused(capsys)
    assert "(mobilenet at 32 px, as the settings build it)" in said
    assert f"Found: {by_features.card.base_version}" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["augmentation=photo"], "augmentation: wanted off with --features"),
        (["fine_tune_from=conv_dw_13", "fine_tune_epochs=1"], "fine_tune_epochs: wanted 0 with --features"),
        (["weights=none"], "wanted an architecture with pretrained weights"),
    ],
)
def test_settings_for_more_than_a_head_are_one_line(
    pictures: Path, by_features: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    changes: Sequence[str], message: str,
) -> None:  # fmt: skip
    words = (pictures / "head.toml", by_features.path, pictures / "labels.csv", tmp_path / "out")
    assert fit(*words, *(word for change in changes for word in ("--set", change))) == 2
    assert message in refused(capsys)


def test_settings_know_what_says_nothing_to_a_head_alone() -> None:
    assert FitSettings(features_of="bioclip-2", head_units=(8,), dropout=0.1, l2=1e-4).is_frozen_first
