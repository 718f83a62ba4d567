"""One reading of labelled images: folders of classes, split folders however they are spelled, manifests."""

import shutil
from pathlib import Path

import pytest

from eoltag.errors import DataError
from eoltag.records import InputSpec
from tests.support.pictures import save
from train.__main__ import main
from train.data.dataset import read_dataset, split, training_images
from train.evaluate.images import find_images
from train.images.listing import list_images
from train.images.manifest import FILE_NAME, read_manifest, write_manifest
from train.records import ManifestRow, Split

LABELS = ("one", "two")
SPELLINGS = [
    ("train", "valid", "test"),
    ("training", "validation", "testing"),
    ("Train", "Val", "TEST"),
    ("TRAIN", "dev", "test"),
]


def split_folder(folder: Path, names: tuple[str, ...]) -> Path:
    """Three, two and one different images of each label in folders of those names."""
    for number, name in enumerate(names):
        for at in range(3 - number):
            for place, label in enumerate(LABELS):
                save(folder / name / label / f"{at}.jpg", 100 * number + 10 * at + place)
    return folder


@pytest.mark.parametrize("names", SPELLINGS, ids="-".join)
def test_fit_evaluate_and_prepare_know_the_splits_of_a_folder_however_they_are_spelled(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    folder = split_folder(tmp_path / "data", names)
    sizes = {Split.TRAIN: 6, Split.VAL: 4, Split.TEST: 2}

    dataset = read_dataset(folder, InputSpec(16, 16, "stretch", "bilinear"))
    train, validation = split(dataset, 0.5, 0)
    assert dataset.labels == LABELS
    assert [dataset.examples[row].image.split for row in train] == [Split.TRAIN] * 6
    assert [dataset.examples[row].image.split for row in validation] == [Split.VAL] * 4

    for part, size in sizes.items():
        assert len(find_images(folder, LABELS, part).images) == size
    assert find_images(folder, LABELS, None).part == "test"

    assert main(["prepare", "folder", str(folder), "--out", str(tmp_path / "set")]) == 0
    rows = read_manifest(tmp_path / "set" / FILE_NAME)
    assert {part: sum(row.split is part for row in rows) for part in Split} == sizes


def test_a_training_never_sees_the_test_split_and_wants_every_class_in_the_others(tmp_path: Path) -> None:
    folder = split_folder(tmp_path, ("train", "valid", "test"))
    save(folder / "test" / "three" / "0.jpg", 500)
    assert {image.split for image in training_images(folder).images} == {Split.TRAIN, Split.VAL}
    shutil.rmtree(folder / "valid" / "two")
    with pytest.raises(DataError, match=r"two: wanted images of 'two' in the split 'val'. Received: none"):
        training_images(folder)
    for label in LABELS:
        save(folder / "valid" / label / "0.jpg", 1)
    shutil.rmtree(folder / "train")
    with pytest.raises(DataError, match=r"one: wanted images of 'one' in the split 'train'. Received: none"):
        training_images(folder)


def test_a_class_that_is_called_train_is_a_class_and_splits_beside_classes_are_refused(tmp_path: Path) -> None:
    for number, label in enumerate(("bus", "car", "train")):
        save(tmp_path / "vehicles" / label / "0.jpg", number)
    assert list_images(tmp_path / "vehicles").labels == ("bus", "car", "train")
    save(tmp_path / "mixed" / "cat" / "0.jpg", 1)
    save(tmp_path / "mixed" / "valid" / "cat" / "0.jpg", 2)
    with pytest.raises(DataError, match=r"mixed: wanted folders of classes, or .* Received both: cat, valid"):
        list_images(tmp_path / "mixed")


def test_a_folder_is_what_lies_in_it_and_its_manifest_tells_more_of_its_files(tmp_path: Path) -> None:
    rows = [ManifestRow(f"images/one/{n}.jpg", "one", Split.VAL, source_url=f"https://eol.org/{n}") for n in (1, 2)]
    write_manifest(tmp_path / FILE_NAME, rows)
    save(tmp_path / "images" / "one" / "1.jpg", 1)
    save(tmp_path / "images" / "two" / "added.jpg", 2)
    save(tmp_path / "downloads" / "three" / "0.jpg", 3)
    found = list_images(tmp_path)
    assert [(image.shown, image.split) for image in found.images] == [
        ("images/two/added.jpg", None),
        ("images/one/1.jpg", Split.VAL),
    ]
    assert [image.row for image in found.images] == [None, rows[0]]
    named = list_images(tmp_path / FILE_NAME)
    assert [image.shown for image in named.images] == ["images/one/1.jpg", "images/one/2.jpg"]


def test_a_manifest_that_names_no_split_of_ours_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / FILE_NAME, [ManifestRow("a.jpg", "one", "half")])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"column 'split': wanted one of train, val, test. Received: 'half'"):
        read_manifest(tmp_path / FILE_NAME)
