"""Sets of images with several labels: folders that share a file, and CSVs that say what is there, absent, unknown."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from eoltag.errors import DataError
from eoltag.settings import FetchSettings
from tests.support.loopback import Loopback
from tests.support.pictures import save
from train.data.class_weights import answer_weights
from train.data.dataset import read_dataset, split, training_images
from train.data.several import list_several
from train.data.splitting import split_groups
from train.images.answers import answers_of
from train.records import LabelledImage, Split
from train.settings import FitSettings

SPEC = FitSettings(image_size_px=16).spec


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Serves one picture."""
    save(tmp_path / "served" / "20.jpg", 20)
    with Loopback(tmp_path / "served") as running:
        yield running


def said(images: tuple[LabelledImage, ...]) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Name of a file -> labels that it shows, labels that it does not."""
    return {image.path.name: (image.present, image.absent) for image in images}


def table(folder: Path, *lines: str) -> Path:
    """A CSV beside pictures 0.jpg to 9.jpg."""
    for number in range(10):
        save(folder / f"{number}.jpg", number)
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "labels.csv"


def test_a_file_shows_the_labels_of_all_folders_that_hold_its_bytes_and_no_other(tmp_path: Path) -> None:
    save(tmp_path / "flower" / "a.jpg", 1)
    save(tmp_path / "fruit" / "the same under another name.jpg", 1)
    save(tmp_path / "fruit" / "b.jpg", 2)
    save(tmp_path / "none" / "c.jpg", 3)
    found = list_several(tmp_path)
    assert found.labels == ("flower", "fruit")
    assert said(found.images) == {
        "a.jpg": (("flower", "fruit"), ()),
        "b.jpg": (("fruit",), ("flower",)),
        "c.jpg": ((), ("flower", "fruit")),
    }
    assert found.notes == ("3 images, 1 of them with two labels or more, 1 with none",)


def test_a_picture_with_and_without_labels_is_refused_and_so_is_one_in_two_splits(tmp_path: Path) -> None:
    save(tmp_path / "plain" / "flower" / "a.jpg", 1)
    save(tmp_path / "plain" / "fruit" / "b.jpg", 2)
    save(tmp_path / "plain" / "none" / "a.jpg", 1)
    with pytest.raises(DataError, match=r"flower/a.jpg and none/a.jpg are the same picture, in 'none' and in a label"):
        list_several(tmp_path / "plain")
    for part, label in (("train", "flower"), ("val", "fruit")):
        save(tmp_path / "parted" / part / label / "a.jpg", 1)
        save(tmp_path / "parted" / part / "leaf" / "b.jpg", len(part))
    with pytest.raises(DataError, match="are the same picture in two splits"):
        list_several(tmp_path / "parted")


def test_what_a_csv_does_not_say_is_unknown_and_not_no(tmp_path: Path) -> None:
    lines = (
        "path,labels,absent",
        "0.jpg,flower|fruit,",
        "1.jpg, fruit ,flower",
        "2.jpg,,*",
        "3.jpg,flower,",
        "4.jpg,,",
    )
    found = list_several(table(tmp_path, *lines))
    np.testing.assert_array_equal(
        answers_of(found.images, found.labels), np.array([[1, 1], [0, 1], [0, 0], [1, np.nan]], np.float32)
    )


def test_lines_on_one_picture_are_joined(tmp_path: Path) -> None:
    path = table(tmp_path, "path,labels,absent", "0.jpg,flower,", "copy.jpg,fruit,", "1.jpg,,flower")
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "0.jpg").read_bytes())
    found = list_several(path)
    assert said(found.images) == {"0.jpg": (("flower", "fruit"), ()), "1.jpg": ((), ("flower",))}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("path,labels,absent", "0.jpg,flower,flower", "1.jpg,fruit,"), "lines 2 and 2 say that 'flower' is there and"),
        (("path,labels,absent", "0.jpg,a,b", "0.jpg,b,"), "lines 3 and 2 say that 'b' is there and absent in the"),
        (("path,labels,split", "0.jpg,a,train", "0.jpg,b,val"), "lines 2 and 3 put the same picture into two splits"),
        (("path,label", "0.jpg,a"), "unknown column 'label'; known here: labels, absent, split, judged, group, path"),
        (("labels,absent", "a,b"), "wanted the column labels and one of path, eolMediaURL, url"),
        (("path,labels", "0.jpg,a"), "wanted two labels or more. Received: a"),
    ],
)
def test_a_mistake_in_a_csv_names_its_lines(lines: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        list_several(table(tmp_path, *lines))


def test_urls_are_fetched_once_and_kept(server: Loopback, tmp_path: Path) -> None:
    fetch = FetchSettings(allow_private_hosts=True)
    urls = [server.url("/files/20.jpg"), server.url("/status/404/x")]
    path = table(tmp_path, "path,labels,absent", f"{urls[0]},flower,fruit", f"{urls[1]},fruit,", "1.jpg,fruit,")
    for _ in range(2):
        found = list_several(path, (), fetch)
        assert {image.shown for image in found.images} == {"1.jpg", urls[0]}
    assert len(list((tmp_path / "labels_downloads").glob("*"))) == 2  # the image, and what is known of the failure


def test_a_label_without_a_yes_or_a_no_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "path,labels,absent", *(f"{number}.jpg,flower,fruit" for number in range(10)))
    with pytest.raises(DataError, match="wanted 2 different images or more that are known not to show 'flower'"):
        read_dataset(training_images(path, has_several=True), SPEC)


def test_both_sides_of_a_split_have_each_answer_in_its_share() -> None:
    rng = np.random.default_rng(0)
    strata = [
        (*("flower" if rng.random() < 0.5 else "no flower",), *(("rare",) if number % 20 == 0 else ("no rare",)))
        for number in range(400)
    ]
    sides = split_groups(strata, list(range(400)), (0.8, 0.2), 3)
    held = [of for of, side in zip(strata, sides, strict=True) if side is Split.VAL]
    assert len(held) == pytest.approx(80, abs=4)
    assert sum("rare" in of for of in held) == 4
    assert sum("flower" in of for of in held) == pytest.approx(0.2 * sum("flower" in of for of in strata), abs=3)


def test_the_test_split_of_a_csv_is_never_trained_on(tmp_path: Path) -> None:
    lines = [f"{n}.jpg,{'a' if n % 2 else 'b'},*,{'test' if n > 7 else 'val' if n > 3 else 'train'}" for n in range(10)]
    dataset = read_dataset(training_images(table(tmp_path, "path,labels,absent,split", *lines), has_several=True), SPEC)
    train, validation = split(dataset, 0.5, 0)
    assert (len(train), len(validation)) == (4, 4)
    assert dataset.counts(train) == {"a": 2, "b": 2}


def test_balanced_weights_make_yes_and_no_of_a_label_count_alike() -> None:
    answers = np.array([[1, np.nan], [0, 1], [0, 0], [0, 0], [0, np.nan]], np.float32)
    weights = answer_weights("balanced", answers, ("a", "b"), np.arange(5))
    for at in range(2):
        sides = [float(weights[answers[:, at] == answer, at].sum()) for answer in (0, 1)]
        assert sides[0] == pytest.approx(sides[1])
    assert weights[np.isnan(answers)].tolist() == [0.0, 0.0]
    assert float(weights.sum()) == pytest.approx(8)
