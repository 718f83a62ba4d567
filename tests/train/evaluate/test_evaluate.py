"""`python -m train evaluate`: a package judged on labelled images, as numbers and as a page."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eoltag.model.package import read_package, write_card
from eoltag.settings import FetchSettings
from tests.support.pictures import save
from train.__main__ import main
from train.evaluate.classify import classify
from train.images.manifest import write_manifest
from train.images.sources import find_sources
from train.package.data_table import read_data_table
from train.records import ManifestRow, Split


def evaluate(capsys: pytest.CaptureFixture[str], package: Path, data: Path, *more: object) -> tuple[int, Any]:
    """Exit code and document of `python -m train evaluate ... --json`."""
    capsys.readouterr()
    code = main(["evaluate", str(package), str(data), *map(str, more), "--json"])
    return code, json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a mistake is answered with."""
    capsys.readouterr()
    assert main(["evaluate", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.splitlines()[-1]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, sample_images: Path) -> Path:
    """New images of two labels, among them grey, long and broken ones and a name that is HTML."""
    folder = tmp_path_factory.mktemp("odd")
    for number in range(4):
        save(folder / "map" / f"{number}.jpg", number, (60, 60))
    Image.open(folder / "map" / "0.jpg").convert("L").convert("RGB").save(folder / "map" / "0.jpg")
    save(folder / "photo" / "<img src=x onerror=alert(1)>.jpg", 10, (300, 60))
    save(folder / "photo" / "seen&known.jpg", 11, (60, 90))
    shutil.copy(next((sample_images / "photo").glob("*_0001.*")), folder / "photo" / "known.jpg")
    (folder / "photo" / "cut.jpg").write_bytes((folder / "map" / "1.jpg").read_bytes()[:400])
    (folder / "photo" / "notes.txt").write_text("no image")
    return folder


def test_the_numbers_are_those_of_classify(
    small_package: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = evaluate(capsys, small_package, sample_images)
    rows = classify(read_package(small_package), find_sources([str(sample_images)], ()), FetchSettings())
    labels = list(read_package(small_package).card.labels)
    matrix = np.zeros((5, 5), int)
    for row in rows:
        assert row.verdict is not None
        matrix[labels.index(Path(row.path).parent.name), labels.index(row.verdict.label)] += 1
    assert code == 0
    assert found["labels"] == labels
    assert found["confusion"] == matrix.tolist()
    assert found["accuracy"] == pytest.approx(matrix.trace() / 100)
    low, high = found["accuracy_interval"]
    assert low < found["accuracy"] < high
    recalls = [found["per_class"][label]["recall"] for label in labels]
    assert recalls == pytest.approx(list(matrix.diagonal() / matrix.sum(axis=1)))
    assert found["macro_recall"] == pytest.approx(np.mean(recalls))
    wrong = {row["path"]: (row["truth"], row["label"]) for row in found["misclassified"]}
    assert wrong == {
        Path(row.path).relative_to(sample_images).as_posix(): (Path(row.path).parent.name, row.verdict.label)
        for row in rows
        if row.verdict and row.verdict.label != Path(row.path).parent.name
    }


def test_held_back_images_give_the_accuracy_on_the_card_and_none_was_in_training(
    small_package: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained_on = (small_package / "data.tsv").read_text("utf-8").count("\ttrain\t")
    assert 50 < trained_on < 100
    _, everything = evaluate(capsys, small_package, sample_images)
    assert everything["images"] == {
        "evaluated": 100,
        "unreadable": 0,
        "left_out": 0,
        "in_training": trained_on,
        "held_back": 100 - trained_on,
    }
    assert any(f"{trained_on} of 100 images were in training" in note for note in everything["notes"])
    card = read_package(small_package).card
    _, held = evaluate(capsys, small_package, sample_images, "--split", "validation")
    assert (held["images"]["evaluated"], held["images"]["in_training"], held["split"]) == (
        100 - trained_on,
        0,
        "validation",
    )
    assert held["accuracy"] == pytest.approx(card.metrics["val_accuracy"])
    assert held["confusion"] == card.metrics["confusion_matrix"]
    _, unseen = evaluate(capsys, small_package, sample_images, "--unseen", "--engine", "keras")
    assert unseen["confusion"] == held["confusion"]


def test_images_are_known_again_under_other_names(
    small_package: Path, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = evaluate(capsys, small_package, odd)
    assert found["images"]["in_training"] + found["images"]["held_back"] == 1
    seen = read_data_table(read_package(small_package))
    assert seen is not None
    assert set(seen.values()) == {Split.TRAIN, Split.VAL}


def test_unreadable_images_and_missing_classes_are_told(
    small_package: Path, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = evaluate(capsys, small_package, odd)
    assert (code, found["images"]["evaluated"], found["images"]["unreadable"]) == (0, 7, 2)
    assert [(row["path"], row["outcome"]) for row in found["unreadable"]] == [
        ("photo/cut.jpg", "truncated"),
        ("photo/notes.txt", "not_image"),
    ]
    assert found["missing_classes"] == ["herbarium_sheet", "illustration", "phylogeny"]
    assert found["curves"]["phylogeny"]["roc_auc"] is None
    assert found["macro_f1"] == pytest.approx(np.mean([found["per_class"][name]["f1"] for name in ("map", "photo")]))


def test_parts_of_the_images_are_measured_by_themselves(
    small_package: Path, odd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, found = evaluate(capsys, small_package, odd, "--slice", "path=photo/")
    images = {row["slice"]: row["images"] for row in found["slices"]}
    assert images["path=photo/"] == 3
    assert images["colour: grey"] == 1
    assert images["aspect: long and wide"] == 1
    assert images["aspect: upright"] == 2
    assert images["colour: grey"] + images["colour: coloured"] == 7
    assert sum(count for name, count in images.items() if name.startswith("size")) == 7
    (photos,) = [row for row in found["slices"] if row["slice"] == "path=photo/"]
    assert photos["accuracy"] == pytest.approx(found["per_class"]["photo"]["recall"])


def test_a_slice_by_ancestry_takes_the_taxon_from_a_breakdown(
    small_package: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    breakdown = tmp_path / "plants.txt"
    lines = [f"{name}\thttps://eol.org/{name}.jpg\tPlantae|{name and 'Poaceae'}\n" for name in "12"]
    breakdown.write_text("identifier\teolMediaURL\tancestry\n" + "".join(lines) + "3\thttps://eol.org/3.jpg\tAves\n")
    more = ("--breakdown", breakdown, "--slice", "ancestry=poaceae", "--slice", "ancestry=Felidae")
    _, found = evaluate(capsys, small_package, odd, *more)
    images = {row["slice"]: row["images"] for row in found["slices"]}
    assert (images["ancestry=poaceae"], images["ancestry=Felidae"]) == (2, 0)


def test_the_report_opens_from_disk_and_shows_every_mistake_escaped(
    small_package: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports" / "odd"
    _, found = evaluate(capsys, small_package, odd, "--out", out)
    page = (out / "index.html").read_text("utf-8")
    assert json.loads((out / "evaluation.json").read_text("utf-8")) == found
    thumbnails = re.findall(r'src="(misclassified/[0-9]+\.jpg)"', page)
    assert len(thumbnails) == len(found["misclassified"]) > 0
    for name in thumbnails:
        with Image.open(out / name) as thumbnail:
            assert thumbnail.size == (160, 160)
    assert "<img src=x" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") == len(list((out / "plots").iterdir())) == 5
    with (out / "predictions.tsv").open(encoding="utf-8", newline="") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert len(rows) == 9
    assert (rows["photo/cut.jpg"]["outcome"], rows["photo/cut.jpg"]["label"]) == ("truncated", "")
    assert rows["map/0.jpg"]["is_grey"] == "true"


def test_names_that_are_html_are_escaped_where_they_are_wrong(
    small_package: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "<img src=x onerror=alert(1)>.jpg"
    labels = read_package(small_package).card.labels
    for label in labels:  # under one of two labels it is wrong
        (tmp_path / "data" / label).mkdir(parents=True)
        shutil.copy(odd / "photo" / name, tmp_path / "data" / label / name)
    evaluate(capsys, small_package, tmp_path / "data", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert page.count("/&lt;img src=x onerror=alert(1)&gt;.jpg") == len(labels) - 1
    assert "<img src=x" not in page


def test_a_report_is_replaced_only_when_told_to_and_other_folders_never(
    small_package: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    evaluate(capsys, small_package, odd, "--out", out)
    assert "holds a report already; add --overwrite" in refused(capsys, small_package, odd, "--out", out)
    (out / "index.html").write_text("old")
    evaluate(capsys, small_package, odd, "--out", out, "--overwrite")
    assert (out / "index.html").read_text("utf-8") != "old"
    assert "which must stay as it is" in refused(capsys, small_package, odd, "--out", odd / "report")
    assert "which must stay as it is" in refused(capsys, small_package, odd, "--out", small_package / "report")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    line = refused(capsys, small_package, odd, "--out", tmp_path / "mine", "--overwrite")
    assert "holds other files and no evaluation.json" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_it_fails_when_no_image_could_be_read(
    small_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data" / "map").mkdir(parents=True)
    (tmp_path / "data" / "map" / "a.jpg").write_text("<html>")
    code, found = evaluate(capsys, small_package, tmp_path / "data", "--out", tmp_path / "out")
    assert (code, found["accuracy"], found["unreadable"][0]["outcome"]) == (3, None, "not_image")
    assert "not_image" in (tmp_path / "out" / "index.html").read_text("utf-8")


def test_a_prepared_set_is_evaluated_by_its_manifest(
    small_package: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(odd, tmp_path / "set" / "images")
    rows = [
        ManifestRow(f"images/map/{n}.jpg", "map", Split.TEST if n < 3 else Split.TRAIN, width=9000, height=300)
        for n in (1, 2, 3)
    ]
    write_manifest(tmp_path / "set" / "manifest.parquet", rows)
    _, found = evaluate(capsys, small_package, tmp_path / "set")
    images = {row["slice"]: row["images"] for row in found["slices"]}
    assert (found["split"], found["images"]["evaluated"]) == ("test", 2)
    assert (images["aspect: long and wide"], images["size: 1.5 MP and more"]) == (2, 2)


def test_a_package_that_does_not_tell_its_training_images_says_so(
    small_package: Path, odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(small_package, tmp_path / "mute")
    (tmp_path / "mute" / "data.tsv").unlink()
    write_card(tmp_path / "mute", read_package(small_package).card)
    _, found = evaluate(capsys, tmp_path / "mute", odd)
    assert found["images"]["in_training"] is None
    assert "the package does not record its training images" in found["notes"][1]
    assert "does not record its training images" in refused(capsys, tmp_path / "mute", odd, "--unseen")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--slice", "genus=Rosa"], "--slice: wanted ancestry=TAXON or path=TEXT. Received: 'genus=Rosa'"),
        (["--slice", "ancestry=Rosa"], "no image has a known ancestry; wanted --breakdown FILE"),
        (["--split", "val"], "no split 'val'"),
        (["--split", "dev"], "no split 'val'"),
        (["--split", "half"], "invalid choice: 'half'"),
        (["--engine", "torch"], "invalid choice: 'torch'"),
        (["--breakdown", "none.txt"], "none.txt"),
    ],
)
def test_a_mistake_is_one_line(
    small_package: Path, odd: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    assert message in refused(capsys, small_package, odd, *more)


def test_the_table_names_what_is_bad(small_package: Path, odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(small_package), str(odd)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^map +4 +\d\.\d{3}", shown, re.MULTILINE)
    assert re.search(r"^accuracy \d\.\d{4} \(95 %: \d\.\d{4} to \d\.\d{4}\) on 7 images", shown, re.MULTILINE)
    assert "2 images could not be read" in shown
