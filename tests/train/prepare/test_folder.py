"""`prepare folder`: checked, sized, split, named; nothing in the source changes and nothing is lost."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from eoltag.records import InputSpec
from tests.support.pictures import encoded, picture, save
from train.__main__ import main
from train.data.dataset import read_dataset
from train.data.several import list_several
from train.images.manifest import FILE_NAME, read_manifest, write_manifest
from train.records import ManifestRow, Split


def run(*arguments: object) -> int:
    """`python -m train prepare folder ...`."""
    return main(["prepare", "folder", *map(str, arguments)])


def tree(folder: Path) -> dict[str, str]:
    """Path -> sha256 of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A folder with ten cats and twenty dogs."""
    for number in range(30):
        save(tmp_path / "source" / ("cat" if number < 10 else "dog") / f"{number}.jpg", number)
    return tmp_path / "source"


def test_files_are_copied_unchanged_under_names_in_sequence_and_the_source_stays(classes: Path, tmp_path: Path) -> None:
    before = tree(classes)
    assert run(classes, "--out", tmp_path / "set") == 0
    assert tree(classes) == before
    rows = read_manifest(tmp_path / "set" / FILE_NAME)
    assert [row.path for row in rows][:2] == ["images/cat/cat_000001.jpg", "images/cat/cat_000002.jpg"]
    assert [row.source_path for row in rows][:2] == ["cat/0.jpg", "cat/1.jpg"]
    for row in rows:
        assert row.source_path is not None
        assert row.path is not None
        assert (
            row.sha256
            == before[row.source_path]
            == hashlib.sha256((tmp_path / "set" / row.path).read_bytes()).hexdigest()
        )
        assert (row.width, row.height, row.color_mode, row.outcome, row.split) == (64, 48, "RGB", "ok", None)


def test_one_seed_gives_identical_manifests_and_another_a_different_one(classes: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        assert run(classes, "--out", tmp_path / name, "--split", "0.8,0.1,0.1", "--cap", 9, "--seed", seed) == 0
    one, two, three = ((tmp_path / name / FILE_NAME).read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_the_number_of_processes_does_not_matter(odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        save(odd / "plain" / f"{number}.jpg", number)
    monkeypatch.setattr("train.prepare.examine.WORTH_A_PROCESS", 1)
    monkeypatch.setattr("train.prepare.augmenting.WORTH_A_PROCESS", 1)
    for processes in (1, 2):
        arguments = ("--out", tmp_path / f"set{processes}", "--processes", processes, "--augment-to", 24, "--size", 40)
        assert run(odd, *arguments) == 0
    assert tree(tmp_path / "set1") == tree(tmp_path / "set2")


def test_every_class_is_split_in_the_shares_asked_for(classes: Path, tmp_path: Path) -> None:
    assert run(classes, "--out", tmp_path / "set", "--split", "0.8,0.1,0.1") == 0
    rows = read_manifest(tmp_path / "set" / FILE_NAME)
    assert Counter((row.label, row.split) for row in rows) == {
        ("cat", "train"): 8,
        ("cat", "val"): 1,
        ("cat", "test"): 1,
        ("dog", "train"): 16,
        ("dog", "val"): 2,
        ("dog", "test"): 2,
    }
    assert all(row.path and row.path.startswith(f"images/{row.split}/{row.label}/") for row in rows)
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert report["images"] == {"cat": {"train": 8, "val": 1, "test": 1}, "dog": {"train": 16, "val": 2, "test": 2}}
    assert json.loads((tmp_path / "set" / "class_weights.json").read_text()) == {"cat": 1.5, "dog": 0.75}


def test_splits_that_the_folder_has_are_kept(tmp_path: Path) -> None:
    for number, place in enumerate(("train/a", "train/b", "valid/a", "valid/b", "test/a", "test/b")):
        save(tmp_path / "source" / place / "x.jpg", number)
    assert run(tmp_path / "source", "--out", tmp_path / "set") == 0
    found = {(row.split, row.label, row.source_path) for row in read_manifest(tmp_path / "set" / FILE_NAME)}
    assert found == {
        ("train", "a", "train/a/x.jpg"),
        ("train", "b", "train/b/x.jpg"),
        ("val", "a", "valid/a/x.jpg"),
        ("val", "b", "valid/b/x.jpg"),
        ("test", "a", "test/a/x.jpg"),
        ("test", "b", "test/b/x.jpg"),
    }


def test_like_images_in_two_splits_of_the_source_are_reported(tmp_path: Path) -> None:
    for number, place in enumerate(("train/a", "train/b", "val/a", "val/b")):
        save(tmp_path / "source" / place / "x.jpg", number % 2)
    assert run(tmp_path / "source", "--out", tmp_path / "set") == 0
    assert json.loads((tmp_path / "set" / "report.json").read_text())["straddling"] == 2


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """One file of every kind, in one class, and a good one in another."""
    folder = tmp_path / "source" / "odd"
    save(tmp_path / "source" / "plain" / "good.jpg", 1)
    folder.mkdir()
    frames = [picture(10), picture(11)]
    (folder / "animated.gif").write_bytes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    (folder / "cmyk.jpg").write_bytes(encoded(picture(2).convert("CMYK")))
    (folder / "cut.jpg").write_bytes(encoded(picture(3))[:700])
    (folder / "grey.jpg").write_bytes(encoded(picture(4).convert("L")))
    (folder / "page.jpg").write_text("<html>not found</html>")
    (folder / "really_jpeg.png").write_bytes(encoded(picture(5)))
    (folder / "small.jpg").write_bytes(encoded(picture(6, (64, 31))))
    turned = Image.Exif()
    turned[0x0112] = 6
    (folder / "turned.jpg").write_bytes(encoded(picture(7), exif=turned))
    return tmp_path / "source"


def test_every_odd_file_has_a_row_that_says_what_it_is(odd: Path, tmp_path: Path) -> None:
    before = tree(odd)
    assert run(odd, "--out", tmp_path / "set", "--quarantine") == 0
    rows = {row.source_path: row for row in read_manifest(tmp_path / "set" / FILE_NAME)}
    assert {str(path): row.outcome for path, row in rows.items()} == {
        "plain/good.jpg": "ok",
        "odd/animated.gif": "animated",
        "odd/cmyk.jpg": "ok",
        "odd/cut.jpg": "truncated",
        "odd/grey.jpg": "ok",
        "odd/page.jpg": "not_image",
        "odd/really_jpeg.png": "ok",
        "odd/small.jpg": "too_small",
        "odd/turned.jpg": "ok",
    }
    assert rows["odd/cmyk.jpg"].detail == "converted from CMYK to RGB"
    assert rows["odd/grey.jpg"].color_mode == "L"
    assert rows["odd/really_jpeg.png"].detail == "named .png, but is JPEG"
    assert str(rows["odd/really_jpeg.png"].path).endswith(".jpg")
    assert rows["odd/small.jpg"].detail == "64x31; wanted 32 pixels or more on the shorter side"
    assert rows["odd/cut.jpg"].sha256 == before["odd/cut.jpg"]
    assert (rows["odd/turned.jpg"].width, rows["odd/turned.jpg"].height) == (48, 64)
    for row in rows.values():
        if row.path:
            with Image.open(tmp_path / "set" / row.path) as image:
                assert (image.mode, image.size) == ("RGB", (row.width, row.height))
    assert {
        path.parent.relative_to(tmp_path / "set").as_posix() for path in (tmp_path / "set/quarantine").rglob("*.*")
    } == {
        "quarantine/animated/odd",
        "quarantine/not_image/odd",
        "quarantine/too_small/odd",
        "quarantine/truncated/odd",
    }
    assert tree(odd) == before


def test_without_quarantine_what_is_left_out_is_listed_and_not_copied(odd: Path, tmp_path: Path) -> None:
    assert run(odd, "--out", tmp_path / "set") == 0
    assert not (tmp_path / "set" / "quarantine").exists()
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert report["rejected"] == {"animated": 1, "not_image": 1, "too_small": 1, "truncated": 1}
    assert report["kept"] == 5


def test_a_moving_image_is_its_first_frame_where_that_is_allowed(odd: Path, tmp_path: Path) -> None:
    assert run(odd, "--out", tmp_path / "set", "--allow-animated") == 0
    rows = {row.source_path: row for row in read_manifest(tmp_path / "set" / FILE_NAME)}
    assert rows["odd/animated.gif"].outcome == "ok"
    assert str(rows["odd/animated.gif"].path).endswith(".jpg")


def test_a_cap_is_filled_from_other_images_where_the_drawn_ones_fail(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / "source" / "a" / f"{number}.jpg", number)
        (tmp_path / "source" / "a" / f"bad{number}.jpg").write_text("no image")
        save(tmp_path / "source" / "b" / f"{number}.jpg", 100 + number)
    assert run(tmp_path / "source", "--out", tmp_path / "set", "--cap", 10) == 0
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert report["images"] == {"a": {"all": 10}, "b": {"all": 10}}
    assert report["rejected"]["not_image"] + report["not_drawn"] == 36 - 20


@pytest.mark.parametrize(("size", "expected"), [("40", (40, 40)), ("50x30", (50, 30))])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_every_picture_has_the_size_asked_for(
    classes: Path, tmp_path: Path, size: str, expected: tuple[int, int], fit: str
) -> None:
    assert run(classes, "--out", tmp_path / "set", "--size", size, "--fit", fit, "--format", "png") == 0
    sizes = set()
    for path in (tmp_path / "set" / "images").rglob("*.png"):
        with Image.open(path) as image:
            sizes.add(image.size)
    assert sizes == {expected}


def test_where_images_came_from_is_taken_from_a_manifest_in_the_folder(classes: Path, tmp_path: Path) -> None:
    rows = [ManifestRow(f"cat/{number}.jpg", "cat", page="p", licence="cc0", author="Ann") for number in range(10)]
    write_manifest(classes / FILE_NAME, rows)
    assert run(classes, "--out", tmp_path / "set", "--split", "0.5,0.5") == 0
    made = read_manifest(tmp_path / "set" / FILE_NAME)
    cats = [row for row in made if row.label == "cat"]
    assert {(row.page, row.licence, row.author) for row in cats} == {("p", "cc0", "Ann")}
    assert len({row.split for row in cats}) == 1, "one page, one split"
    assert {row.page for row in made if row.label == "dog"} == {None}


def test_a_prepared_set_can_be_prepared_again(classes: Path, tmp_path: Path) -> None:
    assert run(classes, "--out", tmp_path / "set", "--split", "0.8,0.2", "--quarantine") == 0
    assert run(tmp_path / "set", "--out", tmp_path / "small", "--size", 32) == 0
    first, second = (read_manifest(tmp_path / name / FILE_NAME) for name in ("set", "small"))
    assert Counter((row.label, row.split) for row in first) == Counter((row.label, row.split) for row in second)


def test_fit_reads_what_was_prepared(odd: Path, tmp_path: Path) -> None:
    save(odd / "plain" / "better.jpg", 50)
    assert run(odd, "--out", tmp_path / "set", "--size", 40) == 0
    data = read_dataset(tmp_path / "set" / "images", InputSpec(40, 40, "stretch", "bilinear"))
    assert data.labels == ("odd", "plain")
    assert data.skipped == ()
    assert Counter(data.targets.tolist()) == {0: 4, 1: 2}


def test_an_old_set_is_replaced_only_when_told(
    classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(classes, "--out", tmp_path / "set") == 0
    before = tree(tmp_path / "set")
    assert run(classes, "--out", tmp_path / "set", "--size", 32) == 2
    assert capsys.readouterr().err.endswith("holds a set of images already; add --overwrite to make it anew\n")
    assert tree(tmp_path / "set") == before
    assert run(classes, "--out", tmp_path / "set", "--size", 32, "--overwrite") == 0
    with Image.open(tmp_path / "set/images/cat/cat_000001.jpg") as image:
        assert image.size == (32, 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{tmp}/nowhere", "--out", "{tmp}/set"), "nowhere: wanted a folder of images. Received: no such folder"),
        (
            ("{tmp}/empty", "--out", "{tmp}/set"),
            "empty: wanted one folder of images per label, train,",
        ),
        (("{tmp}/mixed", "--out", "{tmp}/set"), "Received both: cat, train"),
        (("{tmp}/text", "--out", "{tmp}/set"), "wanted images that can be used. Received: none (not_image 1)"),
        (("{tmp}/source", "--out", "{tmp}/source/set"), "wanted a folder apart from the source"),
        (("{tmp}/source/cat", "--out", "{tmp}/source"), "wanted a folder apart from the source"),
        (("{tmp}/source", "--out", "{tmp}/taken"), "taken: holds other files, such as mine.txt"),
        (("{tmp}/source", "--out", "{tmp}/taken/mine.txt"), "wanted a folder for the images, found a file"),
        (("{tmp}/source", "--out", "{tmp}/set", "--split", "0.5,0.6"), "--split: wanted two or three shares"),
        (("{tmp}/source", "--out", "{tmp}/set", "--size", "0"), "--size: wanted 1 to 8192. Received: 0"),
        (("{tmp}/source", "--out", "{tmp}/set", "--size", "big"), "--size: wanted pixels as 224 or 320x240"),
        (("{tmp}/source", "--out", "{tmp}/set", "--cap", "0"), "--cap: wanted 1 to"),
        (("{tmp}/source", "--out", "{tmp}/set", "--seed", "-1"), "--seed: wanted 0 to"),
    ],
)
@pytest.mark.usefixtures("classes")
def test_what_cannot_be_used_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    for place in ("mixed/cat/x.jpg", "mixed/train/cat/x.jpg"):
        save(tmp_path / place, 1)
    for place in ("text/cat/a.jpg", "taken/mine.txt"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text("mine")
    before = tree(tmp_path)
    assert run(*(argument.format(tmp=tmp_path) for argument in arguments)) == 2
    problem = capsys.readouterr().err.splitlines()[-1]
    assert problem.startswith("error: ")
    assert message in problem
    assert tree(tmp_path) == before
    assert not (tmp_path / "set").exists()


def test_the_answer_as_json_is_the_report(classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(classes, "--out", tmp_path / "set", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer.pop("out") == str(tmp_path / "set")
    assert answer == json.loads((tmp_path / "set" / "report.json").read_text())
    assert (
        answer["bytes_before"] == answer["bytes_after"] == sum(path.stat().st_size for path in classes.rglob("*.jpg"))
    )


def test_pictures_of_several_labels_stay_in_all_their_folders_and_on_one_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        for label in (["flower"], ["fruit"], ["flower", "fruit"], ["none"])[number % 4]:
            save(tmp_path / "photos" / label / f"{number}.jpg", number)
    save(tmp_path / "photos/none/again.jpg", 3)
    words = ["prepare", "folder", str(tmp_path / "photos"), "--out", str(tmp_path / "set"), "--split", "0.5,0.5"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "3 pictures stand in several classes: right where an image may show several labels" in said
    assert "1 images are the same file as another of their class" in said
    images = list_several(tmp_path / "set").images  # refuses a picture that stands in two splits
    assert sorted(image.present for image in images) == (
        [()] * 3 + [("flower",)] * 3 + [("flower", "fruit")] * 3 + [("fruit",)] * 3
    )
    assert {image.split for image in images} == {Split.TRAIN, Split.VAL}
