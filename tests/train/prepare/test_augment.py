"""Offline augmentation: every class to its target, only in training, the same copies for the same seed."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import picture, save
from train.__main__ import main
from train.images.manifest import FILE_NAME, read_manifest
from train.prepare import operations
from train.prepare.augmenting import plan_copies
from train.prepare.operations import OFFLINE_SETS, AugmentSet, augment, shift_colours
from train.records import ManifestRow

EVERY = [
    operations.distort,
    operations.flip_across,
    operations.flip_down,
    operations.crop_and_resize,
    operations.erase,
    operations.tilt,
    operations.crop_edges,
    operations.rotate,
    operations.blur,
    operations.shift_colours,
]
WIDE, GREEN = (90, 60), (40, 160, 60)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Five cats and twelve dogs."""
    for number in range(17):
        save(tmp_path / "source" / ("cat" if number < 5 else "dog") / f"{number}.jpg", number)
    return tmp_path / "source"


def run(*arguments: object) -> int:
    """`python -m train prepare folder ...`."""
    return main(["prepare", "folder", *map(str, arguments)])


def rows_of(folder: Path) -> list[ManifestRow]:
    return read_manifest(folder / FILE_NAME)


def test_every_operation_changes_a_picture_and_keeps_its_size() -> None:
    before = picture(1, WIDE)
    for operation in EVERY:
        changes = []
        for seed in range(5):
            after = operation(before, np.random.default_rng(seed))
            assert (after.size, after.mode) == (WIDE, "RGB"), operation
            changes.append(np.abs(np.asarray(after, np.int16) - np.asarray(before, np.int16)).mean())
        assert np.median(changes) > 1, operation


def test_tilting_cropping_and_distorting_leave_no_empty_corner() -> None:
    flat = Image.new("RGB", WIDE, GREEN)
    for seed in range(20):
        for operation in (operations.tilt, operations.crop_and_resize, operations.crop_edges, operations.distort):
            pixels = np.asarray(operation(flat, np.random.default_rng(seed)), np.int16)
            assert np.abs(pixels - GREEN).max() <= 2, operation


def test_rotating_fills_with_white() -> None:
    pixels = np.asarray(operations.rotate(Image.new("RGB", WIDE, GREEN), np.random.default_rng(0)))
    assert pixels[0, 0].tolist() == [255, 255, 255]


def test_erasing_covers_a_quarter() -> None:
    pixels = np.asarray(operations.erase(Image.new("RGB", (100, 100), GREEN), np.random.default_rng(0)), np.int16)
    assert (np.abs(pixels - GREEN).max(axis=2) > 0).mean() == pytest.approx(0.25, abs=0.01)


def test_shifting_colours_leaves_grey_grey() -> None:
    grey = Image.new("RGB", WIDE, (120, 120, 120))
    assert np.asarray(operations.shift_colours(grey, np.random.default_rng(0))).tolist() == np.asarray(grey).tolist()


@pytest.mark.parametrize("which", OFFLINE_SETS)
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (224, 224)])
def test_pictures_of_any_size_can_be_augmented(which: AugmentSet, size: tuple[int, int]) -> None:
    for seed in range(8):
        assert augment(picture(2, size), which, np.random.default_rng(seed)).size == size


def test_small_classes_get_copies_until_they_have_enough(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "set", "--augment-to", 12, "--size", 48) == 0
    copies = [row for row in rows_of(tmp_path / "set") if "changed copy" in (row.detail or "")]
    assert Counter(row.label for row in copies) == {"cat": 7}
    per_original = Counter(row.source_path for row in copies)
    assert len(per_original) == 5, "each is used before any is used twice"
    assert sorted(per_original.values()) == [1, 1, 1, 2, 2]
    assert len(list((tmp_path / "set/images/cat").iterdir())) == 12
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in (tmp_path / "set/images/cat").iterdir()}) == 12
    assert json.loads((tmp_path / "set/class_weights.json").read_text()) == {"cat": 1.0, "dog": 1.0}
    assert json.loads((tmp_path / "set/report.json").read_text())["augmented"] == {"cat": 7}


def test_only_training_images_are_copied(source: Path, tmp_path: Path) -> None:
    arguments = ("--split", "0.6,0.2,0.2", "--augment-to", 20, "--augment-set", "phylogeny")
    assert run(source, "--out", tmp_path / "set", *arguments) == 0
    rows = rows_of(tmp_path / "set")
    copies = [row for row in rows if "changed copy" in (row.detail or "")]
    assert {row.split for row in copies} == {"train"}
    assert Counter(row.label for row in rows if row.split == "train") == {"cat": 20, "dog": 20}
    held = {row.source_path for row in rows if row.split != "train"}
    assert not held & {row.source_path for row in copies}
    assert all((tmp_path / "set" / str(row.path)).is_file() for row in rows)


def test_one_seed_gives_identical_copies_and_another_different_ones(source: Path, tmp_path: Path) -> None:
    found = []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert run(source, "--out", tmp_path / name, "--augment-to", 8, "--seed", seed) == 0
        copies = sorted((tmp_path / name / "images").rglob("*_a*.jpg"))
        found.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in copies])
    assert len(found[0]) == 3
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])


def test_a_contact_sheet_shows_originals_and_their_copies(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "set", "--augment-to", 15) == 0
    with Image.open(tmp_path / "set" / "augmented.jpg") as sheet:
        assert sheet.width == 3 * 168 + 8, "an original and its two copies"
        assert sheet.height == 8 * 202 + 8
        assert np.asarray(sheet).std() > 20


@pytest.mark.parametrize("which", ["decathlon", "phylogeny"])
def test_a_preview_shows_changed_copies_and_makes_no_set(
    which: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    sheets = [tmp_path / "one.jpg", tmp_path / "two.jpg"]
    for sheet in sheets:
        capsys.readouterr()
        assert run(source, "--preview", sheet, "--augment-set", which, "--size", 96, "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"preview": str(sheet), "originals": 8, "copies": 40}
    assert sorted(tmp_path.rglob("*")) == sorted([*before, *sheets])
    assert sheets[0].read_bytes() != b""
    with Image.open(sheets[0]) as one, Image.open(sheets[1]) as two:
        assert one.size == (6 * 168 + 8, 8 * 202 + 8)
        pixels = np.asarray(one).astype(int)
        assert (pixels[:, :168] == np.asarray(two)[:, :168]).all()
    first, copy = (pixels[8:168, left : left + 160] for left in (8, 176))
    assert np.abs(first - copy).mean() > 2, "a copy is changed"


def test_a_set_or_a_preview_is_asked_for_and_not_both(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = "error: wanted either --out DIR, for the set, or --preview FILE, for a look at changed copies"
    for arguments in ([], ["--out", tmp_path / "set", "--preview", tmp_path / "a.jpg"]):
        assert run(source, *arguments) == 2
        assert capsys.readouterr().err.splitlines()[-1] == wanted
    assert run(source, "--preview", tmp_path / "nowhere" / "a.jpg") == 2
    assert "wanted a file in a folder that is there" in capsys.readouterr().err


def test_almost_white_paper_keeps_its_colour_when_hue_and_saturation_shift() -> None:
    paper = Image.fromarray(np.random.default_rng(0).integers(236, 240, (40, 40, 3), np.uint8))
    for seed in range(20):
        shifted = np.asarray(shift_colours(paper, np.random.default_rng(seed))).astype(int)
        assert np.abs(shifted - np.asarray(paper)).max() <= 8


def test_an_image_of_several_classes_is_not_copied_into_one_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = [("blue", 1), ("blue", 2), ("red", 1), ("red", 2), ("red", 3), ("red", 4)]
    rows = [ManifestRow(f"images/{label}/{at}.jpg", label, sha256=str(at)) for label, at in shared]
    planned = plan_copies(rows, tmp_path, 8, "decathlon", 0)
    assert Counter((row.label, row.sha256) for row, _ in planned) == {("red", "3"): 2, ("red", "4"): 2}
    assert "blue: 2 images stand in other classes as well and get no changed copies" in capsys.readouterr().err
