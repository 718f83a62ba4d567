"""`python -m train dedupe`: planted copies are found, other images are left alone, nothing in the folders changes."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from train.__main__ import main
from train.images.manifest import read_manifest, write_manifest
from train.records import ManifestRow, Split
from train.samples import draw_file, file_name
from train.similar.fingerprints import (
    INVERSE,
    Fingerprint,
    FingerprintedImage,
    orient,
    read_fingerprint,
    read_fingerprints,
)
from train.similar.groups import find_groups, groups_of
from train.similar.hamming import Indices
from train.similar.sketches import Sketches

Edit = Callable[[Image.Image], Image.Image]

EDITS: dict[str, tuple[Edit, int]] = {
    "halved": (lambda image: image.resize((image.width // 2, image.height // 2)), 90),
    "enlarged": (lambda image: image.resize((image.width * 2, image.height * 2)), 90),
    "recompressed": (lambda image: image, 25),
    "turned by 90": (lambda image: image.transpose(Image.Transpose.ROTATE_90), 90),
    "turned by 180": (lambda image: image.transpose(Image.Transpose.ROTATE_180), 90),
    "turned by 270": (lambda image: image.transpose(Image.Transpose.ROTATE_270), 90),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
    "turned and mirrored": (lambda image: image.transpose(Image.Transpose.TRANSPOSE), 90),
}


def dedupe(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit code and report of `python -m train dedupe ... --json`."""
    capsys.readouterr()
    code = main(["dedupe", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line on stderr."""
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve of another seed, of the size that photos have on the web: smaller ones are mostly noise."""
    folder = tmp_path_factory.mktemp("photos") / "photo"
    folder.mkdir()
    for number in range(1, 13):
        path = folder / file_name("photo", number, 1)
        path.write_bytes(draw_file("photo", number, 1, 480))
    return sorted(folder.iterdir())


def save(path: Path, copy: Path, edit: Edit, quality: int = 90) -> Path:
    """An edited copy of an image file."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as image:
        edit(image.convert("RGB")).save(copy, quality=quality)
    return copy


def digests(folder: Path) -> dict[str, str]:
    """Path -> sha256 of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("edit", EDITS)
def test_changed_copies_are_found_beside_all_other_images(
    edit: str, photos: list[Path], sample_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, quality = EDITS[edit]
    copies = [save(path, tmp_path / f"{path.stem}.jpg", change, quality) for path in photos]
    code, report = dedupe(capsys, photos[0].parent, sample_images, tmp_path)
    assert code == 0
    expected = {frozenset(map(str, pair)) for pair in zip(photos, copies, strict=True)}
    assert {frozenset(group) for group in report["groups"]} == expected
    assert report["duplicates"] == {"same_bytes": 0, "near": 12}


def test_different_drawings_of_one_kind_are_no_copies(sample_images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = dedupe(capsys, sample_images)
    assert (code, report["images"], report["kept"], report["groups"]) == (0, 100, 100, [])
    assert report["classes"]["map"] == {"images": 20, "kept": 20}


def test_the_copy_with_the_most_pixels_is_kept_then_the_one_with_the_most_bytes(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = photos[0]
    small = save(original, tmp_path / "a.jpg", EDITS["halved"][0])
    coarse = save(original, tmp_path / "b.jpg", lambda image: image, 30)
    fine = save(original, tmp_path / "c.jpg", lambda image: image, 95)
    large = save(original, tmp_path / "d.jpg", EDITS["enlarged"][0])
    _, report = dedupe(capsys, tmp_path)
    assert report["groups"] == [[str(path) for path in (large, fine, coarse, small)]]


def test_the_same_bytes_are_found_across_folders_and_a_file_is_no_copy_of_itself(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = photos[0]
    for name in ("one/a", "two/b"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(original, tmp_path / f"{name}{original.suffix}")
    (tmp_path / "two" / "link.jpg").symlink_to(original)
    (tmp_path / "two" / "again.jpg").symlink_to(tmp_path / f"one/a{original.suffix}")
    shutil.copy(photos[1], tmp_path / "one" / "other.jpg")
    suffix = original.suffix
    _, report = dedupe(capsys, tmp_path / "one", tmp_path / "two", tmp_path, "--exact")
    assert report["duplicates"] == {"same_bytes": 2, "near": 0}
    found = [Path(path).name for path in report["groups"][0]]
    assert sorted(found) == sorted([f"a{suffix}", f"b{suffix}", "link.jpg"])
    assert report["images"] == 4


def test_exact_leaves_near_copies_alone(photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(photos[0], tmp_path / "a.jpg", lambda image: image)
    save(photos[0], tmp_path / "b.jpg", lambda image: image, 60)
    assert dedupe(capsys, tmp_path, "--exact")[1]["groups"] == []
    assert len(dedupe(capsys, tmp_path)[1]["groups"]) == 1


def test_out_lists_what_to_keep_and_why_the_rest_is_not_and_shows_the_groups(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "set", tmp_path / "out"
    first, second = photos[:2]
    kept = save(first, source / "train" / "cat" / "1.jpg", lambda image: image)
    copy = save(first, source / "val" / "dog" / "2.jpg", EDITS["halved"][0])
    other = save(second, source / "train" / "dog" / "3.jpg", lambda image: image)
    (source / "train" / "dog" / "4.jpg").write_bytes(b"no image")
    (source / "notes.txt").write_text("not meant")
    before = digests(source)
    code, report = dedupe(capsys, source, "--out", out, "--copy")
    assert (code, report["groups"]) == (0, [[str(kept), str(copy)]])
    assert (report["groups_across_classes"], report["groups_across_splits"]) == (1, 1)
    assert [file["outcome"] for file in report["unreadable"]] == ["not_image"]
    assert digests(source) == before
    assert (out / "keep.txt").read_text().splitlines() == [str(kept), str(other)]
    assert (out / "images" / "train" / "cat" / "1.jpg").read_bytes() == kept.read_bytes()
    assert not (out / "images" / "val").exists()
    rows = {row.source_path: row for row in read_manifest(out / "manifest.parquet")}
    assert {path: (row.path, row.label, row.split, row.outcome) for path, row in rows.items()} == {
        "train/cat/1.jpg": ("images/train/cat/1.jpg", "cat", "train", "ok"),
        "val/dog/2.jpg": (None, "dog", "val", "duplicate"),
        "train/dog/3.jpg": ("images/train/dog/3.jpg", "dog", "train", "ok"),
        "train/dog/4.jpg": (None, "dog", "train", "not_image"),
    }
    assert str(rows["val/dog/2.jpg"].detail).startswith(f"copy of {kept} (distance ")
    assert rows["val/dog/2.jpg"].sha256 == before[str(copy)]
    with Image.open(out / "contact_sheet_001.jpg") as sheet:
        frames = np.asarray(sheet)[6, [100, 280]].astype(int)
    assert frames[0][1] > frames[0][0] + 60  # the kept one is framed green
    assert frames[1][0] > frames[1][1] + 60  # its copy red
    assert json.loads((out / "report.json").read_text())["groups"] == report["groups"]


def test_without_copy_the_manifest_leads_to_the_files_themselves(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(photos[0], tmp_path / "only.jpg")
    (tmp_path / "set").mkdir()
    file = shutil.move(tmp_path / "only.jpg", tmp_path / "set" / "only.jpg")
    dedupe(capsys, tmp_path / "set", "--out", tmp_path / "out")
    (row,) = read_manifest(tmp_path / "out" / "manifest.parquet")
    assert (row.path, row.label) == ("../set/only.jpg", "set")
    assert (tmp_path / "out" / str(row.path)).resolve() == Path(file).resolve()


def test_source_licence_and_author_are_carried_over_and_runs_repeat_byte_for_byte(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "set"
    save(photos[0], source / "val" / "cat" / "cat_1.jpg", lambda image: image)
    origin = ("https://example.org/1.jpg", "https://example.org/1", "CC BY 4.0", "Ann")
    write_manifest(source / "manifest.parquet", [ManifestRow("val/cat/cat_1.jpg", "cat", Split.VAL, None, *origin)])
    for out in ("a", "b"):
        dedupe(capsys, source, "--out", tmp_path / out)
    (row,) = read_manifest(tmp_path / "a" / "manifest.parquet")
    assert (row.source_url, row.page, row.licence, row.author) == origin
    manifests = [(tmp_path / out / "manifest.parquet").read_bytes() for out in ("a", "b")]
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FOLDER/nowhere"], "FOLDER/nowhere: not a folder"),
        (["FOLDER/empty"], "no images"),
        (["FOLDER", "--distance", "12"], "--distance: wanted 0 to 11. Received: 12"),
        (["FOLDER", "--copy"], "--copy: wanted --out DIR as well"),
        (["FOLDER", "--out", "FOLDER/inside"], "--out FOLDER/inside: lies in FOLDER"),
        (["FOLDER/empty", "--out", "FOLDER/full"], "--out FOLDER/full: wanted a new or empty folder"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    assert main(["dedupe", *(argument.replace("FOLDER", str(tmp_path)) for argument in arguments)]) == 2
    assert message.replace("FOLDER", str(tmp_path)) in error(capsys)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "full", "thesis.txt"]


def test_a_folder_where_nothing_can_be_read_ends_with_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no image")
    code, report = dedupe(capsys, tmp_path)
    assert (code, report["images"], len(report["unreadable"])) == (3, 0, 1)


def prints(*paths: Path) -> list[FingerprintedImage]:
    """Of files that can be read."""
    found = list(read_fingerprints(paths))
    assert all(isinstance(one, FingerprintedImage) for one in found)
    return [one for one in found if isinstance(one, FingerprintedImage)]


def test_plain_areas_are_the_same_only_where_their_colour_is(tmp_path: Path) -> None:
    shades = {"white": (255, 255, 255), "paper": (250, 250, 248), "grey": (128, 128, 128)}
    for name, shade in shades.items():
        Image.new("RGB", (64, 64), shade).save(tmp_path / f"{name}.png")
    groups = find_groups(prints(*(tmp_path / f"{name}.png" for name in shades)))
    assert [sorted(image.path.stem for image in group.members) for group in groups] == [["paper", "white"]]


def map_with_a_range(number: int) -> Image.Image:
    """A frame and a legend, and a pale area somewhere."""
    pixels = np.full((480, 320, 3), 240, np.uint8)
    pixels[:40], pixels[:, :20], pixels[380:460, 200:300] = 20, 20, 180
    x, y = np.random.default_rng(number).integers(60, 220, 2)
    pixels[y : y + 60, x : x + 60] = (214, 250, 150)
    return Image.fromarray(pixels)


def specimen_under_one_light(number: int) -> Image.Image:
    """The same large shades with another fine pattern on them."""
    shades = np.random.default_rng(99).integers(60, 200, (6, 6)).astype(np.uint8)
    large = np.asarray(Image.fromarray(shades).resize((480, 480), Image.Resampling.BICUBIC), np.int16)
    fine = np.random.default_rng(number).integers(-22, 23, (40, 40)).astype(np.int16).repeat(12, 0).repeat(12, 1)
    return Image.fromarray(np.clip(large + fine, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("draw", [map_with_a_range, specimen_under_one_light])
def test_pictures_of_one_layout_with_different_content_are_no_copies(
    draw: Callable[[int], Image.Image], tmp_path: Path
) -> None:
    for number in range(6):
        draw(number).save(tmp_path / f"{number}.png")
    images = prints(*sorted(tmp_path.iterdir()))
    bits = [
        int(np.bitwise_count(one.fingerprint.hashes[0] ^ two.fingerprint.hashes[0])) for one in images for two in images
    ]
    assert np.median(bits) <= 8  # the hashes alone would say that they are
    assert find_groups(images) == []


def test_groups_for_a_split_join_whatever_shows_the_same_by_any_chain(photos: list[Path], tmp_path: Path) -> None:
    first, second, third = photos[:3]
    turned = save(first, tmp_path / "turned.jpg", EDITS["turned by 90"][0])
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    read = list(read_fingerprints([first, second, turned, broken, third, first, broken]))
    images = [one if isinstance(one, FingerprintedImage) else None for one in read]
    hashes = [(image.sha256 if image else None,) for image in images]
    assert groups_of([image.fingerprint if image else None for image in images], hashes) == [0, 1, 0, 3, 4, 0, 6]
    fingerprints = [image.fingerprint for image in prints(first, second, turned, third)]
    assert groups_of([*fingerprints, None, None], [(None,), ("page",), (None,), ("page",), (None,), (None,)]) == [
        *[0, 1, 0, 1],
        *[4, 5],
    ]


def test_copies_and_blank_pages_of_one_hash_are_compared_once_each(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = prints(photos[0])
    blank = Fingerprint(np.zeros(8, np.uint64), np.full((32, 32, 3), 250, np.uint8))
    fingerprints = [image.fingerprint, blank] * 1500
    images = [
        replace(image, path=Path(f"{at:04d}"), sha256=str(at), fingerprint=fingerprint)
        for at, fingerprint in enumerate(fingerprints)
    ]
    compared: list[int] = []
    like = Sketches.matches

    def counted(self: Sketches, one: int, turn: int, among: Indices) -> Indices:
        compared.append(len(among))
        return like(self, one, turn, among)

    monkeypatch.setattr(Sketches, "matches", counted)
    assert [len(group.members) for group in find_groups(images)] == [1500, 1500]
    assert groups_of(fingerprints) == [0, 1] * 1500
    assert sum(compared) <= 2 * 9 * 1500  # a blank page looks the same in all eight orientations


def test_very_many_different_hashes_that_are_near_are_compared_more_closely(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], photos: list[Path]
) -> None:
    (image,) = prints(photos[0])
    fingerprints = [
        image.fingerprint._replace(hashes=image.fingerprint.hashes ^ np.uint64(1 << bit)) for bit in range(40)
    ]
    monkeypatch.setattr("train.similar.matching.MOST_PAIRS", 100)
    assert groups_of([*fingerprints, fingerprints[3]]) == [*range(40), 3]
    assert "very many images look alike: only those within 1 bits are compared, not 8" in capsys.readouterr().err


def test_eight_orientations_are_different_and_the_first_is_the_picture_itself() -> None:
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    turned = [orient(picture, number) for number in range(8)]
    assert len({(one.shape, one.tobytes()) for one in turned}) == 8
    assert (turned[0] == picture).all()
    for number in range(8):
        assert (orient(turned[number], INVERSE[number]) == picture).all()


def test_one_process_and_many_give_the_same_fingerprints(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [read_fingerprint(path) for path in photos]
    monkeypatch.setattr("train.similar.fingerprints.WORTH_A_PROCESS", 5)
    monkeypatch.setattr("train.images.parallel.cores", lambda: 2)
    together = list(read_fingerprints(photos))
    for one, two in zip(alone, together, strict=True):
        assert isinstance(one, FingerprintedImage)
        assert isinstance(two, FingerprintedImage)
        assert (one.path, one.sha256) == (two.path, two.sha256)
        assert (one.fingerprint.hashes == two.fingerprint.hashes).all()
        assert (one.fingerprint.sketch == two.fingerprint.sketch).all()
