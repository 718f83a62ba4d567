"""`prepare judgements`: what people said becomes images and labels; disputes are listed, copies never parted."""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from eoltag.errors import SettingsError
from eoltag.judgements.record import Judgement, append
from eoltag.records import InputSpec
from tests.support.loopback import Loopback
from tests.support.pictures import encoded, picture, save
from tests.support.stored_features import StoredOutput
from train.__main__ import main
from train.data.class_weights import judged_weights
from train.data.dataset import read_dataset, split
from train.data.label_table import read_label_table
from train.data.several import list_several
from train.images.manifest import FILE_NAME, read_manifest
from train.records import ManifestRow, Split

COUNT = 24


def photo(number: int) -> bytes:
    """Images 20 to 23 show what images 0 to 3 do, smaller."""
    return encoded(picture(number)) if number < 20 else encoded(picture(number - 20).resize((48, 36)), quality=85)


def sha256(number: int) -> str:
    return hashlib.sha256(photo(number)).hexdigest()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Serves 0.jpg to 23.jpg."""
    for number in range(COUNT):
        path = tmp_path / "web" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(photo(number))
    with Loopback(tmp_path / "web") as server:
        yield server


@pytest.fixture
def output(tmp_path: Path, server: Loopback) -> Path:
    """Anna has judged all; of two Ben says something else; one she could not tell. Copies of all but 5 are kept."""
    stored = StoredOutput(tmp_path / "output")
    kept = [number for number in range(COUNT) if number != 5]
    stored.add("pixels", [{"content_sha256": sha256(n), "side_px": 48, "image": photo(n)} for n in kept])
    stored.add_images([sha256(number) for number in range(COUNT)], perceptual_hash=None)
    said = [
        Judgement("Anna", "kind", server.url(f"{n}.jpg"), sha256(n), "map", tag_of(n), "random", judged_at=f"{n:03}")
        for n in range(COUNT)
    ]
    append(stored.root, [*said, *[Judgement("Ben", "kind", one.url, one.content_sha256, "map", "graph", "random",
                                            judged_at="9") for one in said[10:12]]])  # fmt: skip
    return stored.root


def tag_of(number: int) -> str | None:
    if number == 12:
        return None
    return "photo" if number % 2 else "map"


def run(tmp_path: Path, output: Path, *arguments: object, out: str = "set") -> int:
    """`python -m train prepare judgements ...`."""
    (tmp_path / "fast.toml").write_text("[fetch]\nattempts = 1\ndeadline_s = 5.0\n")
    more = ("--allow-private-hosts", "--config", tmp_path / "fast.toml", "--out", tmp_path / out)
    return main(["prepare", "judgements", str(output), "--task", "kind", *map(str, (*arguments, *more))])


def rows_of(tmp_path: Path, out: str = "set") -> list[ManifestRow]:
    return read_manifest(tmp_path / out / FILE_NAME)


def test_judged_images_lie_under_their_tags_and_disputes_are_listed_and_left_out(
    tmp_path: Path, output: Path, server: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, output, "--rename", "photo=photograph") == 0
    assert "2 images are left out since people disagree on them: " in (said := capsys.readouterr().out)
    assert f"{server.url('10.jpg')} (Anna: map, Ben: graph)" in said
    assert "1 images are left out since nobody was sure of them" in said
    rows = rows_of(tmp_path)
    assert Counter((row.label, row.outcome) for row in rows if row.is_kept) == {
        ("map", "ok"): 10, ("photograph", "ok"): 11,
    }  # fmt: skip
    assert sorted(row.outcome for row in rows if not row.is_kept) == ["disputed", "disputed", "no_label"]
    assert {row.sha256 for row in rows if row.is_kept} == {sha256(n) for n in range(COUNT) if n not in (10, 11, 12)}
    assert {row.judged_by for row in rows if row.is_kept} == {"Anna"}
    assert [path.rsplit("/", 1)[-1] for path in server.requests] == ["5.jpg"], "kept copies are not fetched again"
    assert read_manifest(tmp_path / "set" / FILE_NAME) == rows


def test_a_picture_that_has_changed_since_is_not_what_was_judged(
    tmp_path: Path, output: Path, server: Loopback
) -> None:
    (tmp_path / "web/5.jpg").write_bytes(encoded(picture(77)))
    assert run(tmp_path, output) == 0
    (changed,) = [row for row in rows_of(tmp_path) if row.outcome == "changed"]
    assert (changed.label, changed.source_url, changed.path) == ("photo", server.url("5.jpg"), None)


def test_copies_of_judged_images_never_sit_on_two_sides_and_are_overruled(tmp_path: Path, output: Path) -> None:
    for number in range(20):  # what nobody has judged: copies of judged images 0 to 3 among others
        folder = "val" if number < 2 or number > 15 else "train"
        label = "map" if number % 2 == 0 or number == 3 else "photo"
        save(tmp_path / "old" / folder / label / f"{number}.jpg", number if number < 4 else 100 + number)
    assert run(tmp_path, output, "--also", tmp_path / "old") == 0
    rows = rows_of(tmp_path)
    (wrong,) = [row for row in rows if row.outcome == "overruled"]
    assert (wrong.source_path, wrong.detail) == ("train/map/3.jpg", "people say photo of the same picture")
    kept = [row for row in rows if row.is_kept]
    of_picture: defaultdict[int, set[Split | None]] = defaultdict(set)
    for row in kept:
        for number in range(4):
            if row.sha256 in (sha256(number), sha256(20 + number)):
                of_picture[number].add(row.split)
    assert of_picture == {0: {Split.VAL}, 1: {Split.VAL}, 2: {Split.TRAIN}, 3: {Split.TRAIN}}
    assert sum(row.judged_by is not None for row in kept) == 21
    dataset = read_dataset(tmp_path / "set", _spec())
    _, validation = split(dataset, 0.2, 0)
    assert {dataset.examples[at].image.split for at in validation} == {Split.VAL}
    assert judged_weights(3.0, dataset.is_judged).tolist() == [3.0 if judged else 1.0 for judged in dataset.is_judged]
    assert sum(dataset.is_judged) == 21
    unmarked = read_dataset(tmp_path / "set/images", InputSpec(32, 32, "stretch", "bilinear"))
    with pytest.raises(SettingsError, match="judged_weight: no image is marked as judged"):
        judged_weights(3.0, unmarked.is_judged)


def test_labels_alone_carry_groups_that_no_split_parts(
    tmp_path: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = tmp_path / "others.csv"
    others.write_text(f"content_sha256,label\n{sha256(0)},graph\n{'ab' * 32},graph\n{'cd' * 32},map\n")
    labels = tmp_path / "labels.csv"
    words = ["prepare", "judgements", str(output), "--task", "kind", "--labels-out", str(labels), "--also", str(others)]
    assert main(words) == 0
    assert "21 judged images (map 10, photo 11), 2 others" in capsys.readouterr().out
    with labels.open() as stream:
        rows = {row["content_sha256"]: row for row in csv.DictReader(stream)}
    assert (rows[sha256(0)]["label"], rows[sha256(0)]["judged"]) == ("map", "yes")
    assert (rows["ab" * 32]["label"], rows["ab" * 32]["judged"]) == ("graph", "")
    groups = Counter(row["group"] for row in rows.values())
    assert {rows[sha256(number)]["group"] for number in range(4)} == {one for one, size in groups.items() if size == 2}
    assert all(rows[sha256(number)]["group"] == rows[sha256(20 + number)]["group"] for number in range(4))
    table = read_label_table(labels)
    assert sum(row.is_judged for row in table.rows) == 21
    assert main([*words, "--split", "0.6,0.4"]) == 0
    with labels.open() as stream:
        sides = {row["content_sha256"]: row["split"] for row in csv.DictReader(stream)}
    assert set(sides.values()) == {"train", "val"}
    assert all(sides[sha256(number)] == sides[sha256(20 + number)] for number in range(4))


SEVERAL = ("flower|fruit", "flower", "nothing", "fruit | flower")


@pytest.fixture
def of_several(tmp_path: Path) -> Path:
    """Judgements of a task with several tags an image; copies of all eight pictures are kept."""
    stored = StoredOutput(tmp_path / "several")
    stored.add("pixels", [{"content_sha256": sha256(n), "side_px": 48, "image": photo(n)} for n in range(8)])
    stored.add_images([sha256(number) for number in range(8)], perceptual_hash=None)
    said = [
        Judgement("Anna", "kind", f"http://a/{n}.jpg", sha256(n), "flower", SEVERAL[n % 4], "random") for n in range(8)
    ]
    append(stored.root, said)
    return stored.root


def test_several_tags_of_an_image_are_labels_of_their_own(
    tmp_path: Path, of_several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = tmp_path / "others.csv"
    others.write_text(f"content_sha256,labels,absent\n{sha256(0)},,flower\n{'ab' * 32},fruit,\n{'cd' * 32},,*\n")
    labels = tmp_path / "labels.csv"
    words = ["prepare", "judgements", str(of_several), "--task", "kind", "--several", "--rename", "nothing=none"]
    assert main([*words, "--labels-out", str(labels), "--also", str(others), "--split", "0.5,0.5"]) == 0
    assert "8 judged images (flower 6, fruit 4, none 2), 2 others" in capsys.readouterr().out
    rows = {row.name: row for row in read_label_table(labels, has_several=True).rows}
    assert [(rows[sha256(n)].present, rows[sha256(n)].absent) for n in range(4)] == [
        (("flower", "fruit"), ()), (("flower",), ("fruit",)), ((), ("flower", "fruit")), (("fruit", "flower"), ()),
    ]  # fmt: skip
    assert (rows["ab" * 32].present, rows["ab" * 32].absent, rows["ab" * 32].is_judged) == (("fruit",), (), False)
    assert rows["cd" * 32].absent == ("flower", "fruit")


def test_a_picture_of_several_tags_lies_in_the_folder_of_each(tmp_path: Path, of_several: Path) -> None:
    words = ["prepare", "judgements", str(of_several), "--task", "kind", "--several", "--rename", "nothing=none"]
    assert main([*words, "--out", str(tmp_path / "set")]) == 0
    found = {image.path.name: image.present for image in list_several(tmp_path / "set").images}
    assert sorted(found.values()) == [(), ()] + [("flower",)] * 2 + [("flower", "fruit")] * 4


def test_what_cannot_be_prepared_is_said_in_one_line(
    tmp_path: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prepare", "judgements", str(output), "--out", str(tmp_path / "set")]
    assert main([*words, "--task", "other"]) == 2
    assert "wanted judgements of task 'other'. Received: those of kind" in capsys.readouterr().err
    assert main([*words, "--task", "kind", "--labels-out", str(tmp_path / "labels.csv")]) == 2
    assert "--labels-out writes labels alone" in capsys.readouterr().err
    assert main([*words, "--task", "kind", "--rename", "map"]) == 2
    assert "--rename: wanted TAG=CLASS" in capsys.readouterr().err
    assert main(["prepare", "judgements", str(output), "--task", "kind", "--out", str(output / "set")]) == 2
    assert "wanted a folder apart from the source" in capsys.readouterr().err


def _spec() -> InputSpec:
    return InputSpec(32, 32, "stretch", "bilinear")
