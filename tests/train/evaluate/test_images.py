"""Which images an evaluation takes from a folder, a split folder or a manifest, and which it refuses."""

import re
import shutil
from pathlib import Path

import pytest

from eoltag.errors import DataError
from tests.support.pictures import save
from train.evaluate.images import find_images
from train.evaluate.slices import read_ancestries
from train.images.manifest import write_manifest
from train.records import ImageSet, ManifestRow, Split

LABELS = ("leaf", "stem", "twig")


def shown(found: ImageSet) -> list[str]:
    """Paths below the data folder."""
    return [image.shown for image in found.images]


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Three classes, images at any depth, a hidden file."""
    for number, name in enumerate(("twig/b.jpg", "leaf/deep/a.jpg", "leaf/c.jpg", "stem/d.jpg", "stem/.hidden.jpg")):
        save(tmp_path / "flat" / name, number)
    return tmp_path / "flat"


@pytest.fixture
def split(flat: Path) -> Path:
    """The same classes in train, val and test, one image less in each."""
    for part, lost in (("train", None), ("val", "twig/b.jpg"), ("test", "leaf/c.jpg")):
        shutil.copytree(flat, flat.parent / "split" / part)
        if lost:
            (flat.parent / "split" / part / lost).unlink()
    return flat.parent / "split"


def test_labels_are_those_of_the_package_whatever_the_folders_order(flat: Path) -> None:
    found = find_images(flat, ("twig", "leaf", "stem"), None)
    assert shown(found) == ["leaf/c.jpg", "leaf/deep/a.jpg", "stem/d.jpg", "twig/b.jpg"]
    assert [image.label for image in found.images] == ["leaf", "leaf", "stem", "twig"]
    assert found.labels == ("twig", "leaf", "stem")
    assert (found.part, found.missing, found.notes) == (None, (), ())


def test_the_test_split_is_taken_unless_told_otherwise_and_said(split: Path) -> None:
    found = find_images(split, LABELS, None)
    assert shown(found) == ["test/leaf/deep/a.jpg", "test/stem/d.jpg", "test/twig/b.jpg"]
    assert found.notes == ("took the split 'test' of test, train, val; --split takes another",)
    shutil.rmtree(split / "test")
    assert find_images(split, LABELS, None).part == "val"


def test_a_split_can_be_named_and_all_of_them_taken(split: Path) -> None:
    found = find_images(split, LABELS, Split.VAL)
    assert shown(found) == ["val/leaf/c.jpg", "val/leaf/deep/a.jpg", "val/stem/d.jpg"]
    assert found.missing == ("twig",)
    assert found.notes == ("no images of twig: nothing is known of how well they are recognised",)
    assert len(find_images(split, LABELS, "all").images) == len(find_images(split, LABELS, "validation").images) == 10


def test_classes_that_are_called_train_and_test_are_classes(split: Path) -> None:
    found = find_images(split, ("test", "train", "val"), None)
    assert {image.label for image in found.images} == {"test", "train", "val"}
    assert len(found.images) == 10


def test_a_manifest_gives_its_kept_images_with_what_they_were(flat: Path) -> None:
    kept = {"outcome": "ok", "width": 4000, "height": 3000, "color_mode": "L", "source_url": "https://eol.org/1.jpg"}
    write_manifest(
        flat / "manifest.parquet",
        [
            ManifestRow("stem/d.jpg", "stem", Split.TEST, **kept),
            ManifestRow("leaf/c.jpg", "leaf", Split.TRAIN, **kept),
            ManifestRow(None, "twig", Split.TEST, outcome="gone"),
        ],
    )
    (image,) = find_images(flat, LABELS, None).images
    assert (image.path, image.label, image.split) == (flat / "stem" / "d.jpg", "stem", Split.TEST)
    assert image.row is not None
    assert (image.row.width, image.row.height, image.row.color_mode) == (4000, 3000, "L")
    assert shown(find_images(flat / "manifest.parquet", LABELS, Split.TRAIN)) == ["leaf/c.jpg"]


@pytest.mark.parametrize(
    ("folder", "labels", "part", "message"),
    [
        (
            "flat",
            ("leaf", "stem"),
            None,
            "classes that are no labels of the package: twig; its labels: leaf, stem",
        ),
        ("flat", LABELS, Split.VAL, "flat: no split 'val'; there: none, it is not split"),
        ("none", LABELS, None, "none: wanted one folder of images per label, train, val and test"),
        ("flat/leaf/deep", LABELS, None, "with those inside, or a manifest.parquet. Received: no folders"),
        ("empty", LABELS, None, "empty: no images"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(
    flat: Path, folder: str, labels: tuple[str, ...], part: Split | None, message: str
) -> None:
    (flat.parent / "empty" / "leaf").mkdir(parents=True)
    with pytest.raises(DataError, match=re.escape(message)):
        find_images(flat.parent / folder, labels, part)


def test_a_split_that_is_not_there_is_told_with_those_that_are(split: Path) -> None:
    shutil.rmtree(split / "val")
    with pytest.raises(DataError, match="no split 'val'; there: test, train"):
        find_images(split, LABELS, Split.VAL)


def test_ancestries_are_found_by_url_and_by_file_name(flat: Path) -> None:
    write_manifest(
        flat.parent / "m.parquet", [ManifestRow("flat/leaf/c.jpg", "leaf", source_url="https://eol.org/a/77.x.jpg")]
    )
    breakdown = flat.parent / "breakdown.txt"
    breakdown.write_text(
        "identifier\tdataObjectVersionID\teolMediaURL\tancestry\n"
        "EOL-1\t5\thttps://eol.org/a/77.x.jpg\tPlantae|Poaceae\n"
        "b\t6\thttps://eol.org/b/1.jpg\tAnimalia|Aves\n"
        "EOL-3\t7\thttps://eol.org/b/d.jpg\tPlantae|Rosaceae\n"
    )
    by_url = find_images(flat.parent / "m.parquet", LABELS, None).images
    assert read_ancestries([breakdown], by_url) == {"flat/leaf/c.jpg": "Plantae|Poaceae"}
    by_name = find_images(flat, LABELS, None).images
    assert read_ancestries([breakdown], by_name) == {"twig/b.jpg": "Animalia|Aves", "stem/d.jpg": "Plantae|Rosaceae"}
    (flat.parent / "plain.txt").write_text("https://eol.org/b/1.jpg\n")
    with pytest.raises(DataError, match="wanted a breakdown with the column 'ancestry'"):
        read_ancestries([flat.parent / "plain.txt"], by_name)
