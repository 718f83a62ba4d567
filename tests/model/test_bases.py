"""Packages whose base and head lie apart, or that are a head alone: what is refused, packed, versioned and computed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from eoltag.errors import PackageError
from eoltag.model.attempts import CARD_FILE
from eoltag.model.card import (
    BASE_OPENVINO_FILES,
    HEAD_OPENVINO_FILES,
    OPENVINO_FILES,
    Card,
    CardInput,
    Part,
    PrecisionChoice,
)
from eoltag.model.engines import BaseEngine, HeadEngine, load_base, load_engine, load_head
from eoltag.model.package import Package, read_package, unpack, write_card
from eoltag.records import Pixels, Scores, Vectors
from tests.support.tiny_package import FEATURES, write_tiny_based_package, write_tiny_head

LABELS = ("leaf", "flower", "fruit")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """Three labels, with its base and head apart."""
    return write_tiny_based_package(tmp_path / "plants", LABELS, seed=1)


@pytest.fixture
def head_only(tmp_path: Path) -> Package:
    """A head for features of an imported base."""
    return write_tiny_head(tmp_path / "head", LABELS, seed=1, base="bioclip-2", length=7)


def pictures(count: int) -> Pixels:
    """So many different ones, 16 px."""
    levels = np.linspace(0, 200, count).astype(np.uint8)[:, None, None, None]
    found: Pixels = levels + np.random.default_rng(3).integers(0, 50, (count, 16, 16, 3), np.uint8)
    return found


def base_of(package: Package, batch_size: int = 4) -> BaseEngine:
    """Loaded, on one thread."""
    packed = unpack(package.pack("openvino", part="base"))
    return load_base("openvino", packed, batch_size=batch_size, threads=1, keras_backend="tensorflow")


def head_of(package: Package, batch_size: int = 4) -> HeadEngine:
    """Loaded, on one thread."""
    packed = unpack(package.pack("openvino", part="head"))
    return load_head("openvino", packed, batch_size=batch_size, threads=1, keras_backend="tensorflow")


def whole(package: Package, batch: Pixels) -> Scores:
    """Logits of the whole model."""
    packed = unpack(package.pack("openvino"))
    return load_engine("openvino", packed, batch_size=16, threads=1, keras_backend="tensorflow").predict(batch)


# --- what they compute


def test_base_and_head_score_as_the_whole(package: Package) -> None:
    base, head, batch = base_of(package), head_of(package), pictures(4)
    vectors = base.features(batch)
    assert (base.name, head.name) == ("openvino-f32", "openvino-f32")
    assert vectors.shape == (4, FEATURES)
    assert vectors.dtype == np.float32
    assert np.ptp(vectors, axis=0).max() > 0.1
    np.testing.assert_allclose(head.logits(vectors), whole(package, batch), atol=1e-4)
    assert np.array_equal(base.begin(batch)(), vectors)


def test_packages_on_one_base_share_its_features(package: Package, tmp_path: Path) -> None:
    other = write_tiny_based_package(tmp_path / "other", ("map", "photo"), seed=9)
    assert other.card.base_version == package.card.base_version
    assert other.version != package.version
    vectors = base_of(package).features(pictures(3))
    np.testing.assert_allclose(head_of(other).logits(vectors), whole(other, pictures(3)), atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 4, 11])
def test_a_head_takes_any_number_of_vectors_each_by_itself(head_only: Package, count: int) -> None:
    head = head_of(head_only)
    vectors: Vectors = np.random.default_rng(4).normal(size=(count, 7)).astype(np.float32)
    vectors.flags.writeable = False
    logits = head.logits(vectors)
    assert logits.shape == (count, 3)
    assert logits.dtype == np.float32
    for row in range(count):
        np.testing.assert_allclose(head.logits(vectors[row : row + 1])[0], logits[row], atol=1e-5)
    assert count < 2 or np.abs(logits[0] - logits[1]).max() > 0.01


def test_vectors_as_they_are_stored_score_within_a_hundredth_of_a_logit(head_only: Package) -> None:
    head = head_of(head_only)
    vectors: Vectors = np.random.default_rng(4).normal(size=(50, 7)).astype(np.float32)
    assert 0 < np.abs(head.logits(vectors.astype(np.float16)) - head.logits(vectors)).max() < 1e-2


@pytest.mark.parametrize("shape", [(2, 6), (2, 8), (7,)])
def test_vectors_of_another_length_are_refused(head_only: Package, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"vectors of shape \(N, 7\) were wanted\. Received: "):
        head_of(head_only).logits(np.zeros(shape, np.float32))


def test_a_base_that_gives_other_features_than_its_card_says_is_refused(package: Package) -> None:
    packed = unpack(package.pack("openvino", part="base"))
    wrong = replace(packed, card=packed.card.model_copy(update={"feature_length": 6}))
    with pytest.raises(PackageError, match=r"plants: wanted 6 features of each image\. Received: 5"):
        load_base("openvino", wrong, batch_size=1, threads=1, keras_backend="tensorflow")


def test_a_head_for_other_features_or_labels_than_its_card_says_is_refused(head_only: Package) -> None:
    packed = unpack(head_only.pack("openvino", part="head"))
    for key, value, said in (("feature_length", 6, "cannot read openvino/head.xml"), ("labels", ("a", "b"), "3")):
        wrong = replace(packed, card=packed.card.model_copy(update={key: value}))
        with pytest.raises(PackageError, match=said):
            load_head("openvino", wrong, batch_size=1, threads=1, keras_backend="tensorflow")


# --- what is in them


@pytest.mark.parametrize(
    ("part", "names"), [("whole", OPENVINO_FILES), ("base", BASE_OPENVINO_FILES), ("head", HEAD_OPENVINO_FILES)]
)
@pytest.mark.parametrize("precision", ["f32", "auto"])
def test_workers_get_the_files_of_one_part(
    package: Package, part: Part, names: tuple[str, str], precision: PrecisionChoice
) -> None:
    assert set(unpack(package.pack("openvino", precision, part)).files) == set(names)


def test_base_and_head_are_there_in_f32_alone(package: Package) -> None:
    with pytest.raises(PackageError, match=r"does not prove engine 'openvino' at int8 \(proven: f32\)"):
        package.files_for("openvino", "int8", "base")


def test_a_package_says_what_it_has(package: Package, head_only: Package, tmp_path: Path) -> None:
    assert (package.has_base, package.is_head_only, package.engines) == (True, False, ("openvino",))
    assert (head_only.has_base, head_only.is_head_only, head_only.engines) == (False, True, ())
    shutil.copytree(package.path, tmp_path / "plain")
    plain = write_card(tmp_path / "plain", package.card.model_copy(update={"base_version": "", "feature_length": 0}))
    assert (plain.has_base, plain.is_head_only) == (False, False)


def test_a_base_that_came_later_leaves_the_version_as_it_was(package: Package, tmp_path: Path) -> None:
    shutil.copytree(package.path, tmp_path / "before")
    for name in (*BASE_OPENVINO_FILES, *HEAD_OPENVINO_FILES):
        (tmp_path / "before" / name).unlink()
    before = write_card(
        tmp_path / "before", package.card.model_copy(update={"base_version": "", "feature_length": 0})
    )  # fmt: skip
    assert before.version == package.version


def test_the_version_of_a_head_alone_is_made_of_it_and_the_name_of_its_base(head_only: Package, tmp_path: Path) -> None:
    shutil.copytree(head_only.path, tmp_path / "again")
    assert read_package(tmp_path / "again").version == head_only.version
    other_base = write_card(tmp_path / "again", head_only.card.model_copy(update={"base_version": "bioclip-1"}))
    other_head = write_tiny_head(tmp_path / "other", LABELS, seed=2, base="bioclip-2", length=7)
    assert len({head_only.version, other_base.version, other_head.version}) == 3


# --- what is refused


def test_a_head_alone_scores_no_pictures_and_says_so(head_only: Package) -> None:
    said = r"head: has a head alone, for stored features of the base 'bioclip-2'; wanted a package with a whole model"
    with pytest.raises(PackageError, match=said):
        head_only.pack("openvino")
    with pytest.raises(PackageError, match=said):
        _ = head_only.fastest_engine


@pytest.mark.parametrize(
    "name", ["bioclip 2", "a/b", "..", ".hidden", "x" * 65, "2024", "1e5", "1234e5678901", "NaN", "2024-01-31", "é"]
)
def test_a_base_name_that_no_folder_could_keep_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="base_version: wanted up to 64 letters"):
        card(name, 5)


@pytest.mark.parametrize("name", ["bioclip-2", "a", "DINOv2_vit.b", "0123456789ab", "x" * 64])
def test_a_plain_base_name_is_taken(name: str) -> None:
    assert card(name, 5).base_version == name


@pytest.mark.parametrize(("name", "length"), [("bioclip-2", 0), ("", 5)])
def test_a_base_and_the_length_of_its_features_come_together(name: str, length: int) -> None:
    with pytest.raises(ValidationError, match="base_version and feature_length: wanted both or neither"):
        card(name, length)


def card(base: str, length: int) -> Card:
    """One that names a base."""
    size = CardInput(height=16, width=16)
    return Card(
        card_version=1, name="n", labels=LABELS, input=size, files={}, base_version=base, feature_length=length
    )  # fmt: skip


@pytest.mark.parametrize("name", [BASE_OPENVINO_FILES[0], HEAD_OPENVINO_FILES[1]])
def test_a_base_without_its_files_is_refused(package: Package, name: str) -> None:
    path = package.path / CARD_FILE
    content = json.loads(path.read_text())
    del content["files"][name]
    path.write_text(json.dumps(content))
    with pytest.raises(PackageError, match=rf"the card names base '{package.card.base_version}', and openvino/.* is"):
        read_package(package.path)


def test_a_base_name_without_any_file_is_refused(head_only: Package) -> None:
    for name in HEAD_OPENVINO_FILES:
        (head_only.path / name).unlink()
    with pytest.raises(PackageError, match=r"names base .bioclip-2., and openvino/head\.xml is not among"):
        write_card(head_only.path, head_only.card)
