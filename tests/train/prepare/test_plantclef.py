"""`prepare plantclef`: PlantCLEF 2016's layout, an XML file beside each JPEG."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.pictures import save
from train.__main__ import main
from train.images.manifest import FILE_NAME, read_manifest
from train.records import ManifestRow

CONTENTS = (
    ["Entire"] * 3 + ["Fruit"] * 3 + ["Branch"] * 3 + ["Stem"] * 3 + ["Flower"] * 6 + ["LeafScan"] * 3 + ["Leaf"] * 4
)
"""25 photos, seven contents."""

SHEET = """<?xml version="1.0" encoding="UTF-8"?>
<Image>
  <ObservationId>{observation}</ObservationId>
  <MediaId>{media}</MediaId>
  <Vote>4</Vote>
  <Content>{content}</Content>
  <ClassId>5474</ClassId>
  <Family>Fabaceae</Family>
  <Genus>Trifolium</Genus>
  <Species>Trifolium pratense L.</Species>
  <Author>Ann Émond</Author>
  <Date>2012-6-2</Date>
</Image>
"""


def run(*arguments: object) -> int:
    """`python -m train prepare plantclef ...`."""
    return main(["prepare", "plantclef", *map(str, arguments)])


def rows_of(folder: Path) -> list[ManifestRow]:
    return read_manifest(folder / FILE_NAME)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Photos of 13 observations, two of each."""
    for number, content in enumerate(CONTENTS):
        save(tmp_path / "source" / f"{number}.jpg", number)
        sheet = SHEET.format(observation=1000 + number // 2, media=number, content=content)
        (tmp_path / "source" / f"{number}.xml").write_text(sheet, encoding="utf-8")
    return tmp_path / "source"


def test_seven_contents_become_six_classes(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "set") == 0
    rows = rows_of(tmp_path / "set")
    assert Counter(row.label for row in rows) == {
        "Entire": 3,
        "Fruit": 3,
        "Branch": 3,
        "Stem": 3,
        "Flower": 6,
        "Leaf": 7,
    }
    first = next(row for row in rows if row.source_path == "0.jpg")
    assert (first.label, first.page, first.author) == ("Entire", "plantclef:observation/1000", "Ann Émond")


def test_a_count_is_drawn_over_all_classes_by_the_seed(source: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert run(source, "--out", tmp_path / name, "--count", 10, "--seed", seed) == 0
    one, two, three = ((tmp_path / name / FILE_NAME).read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three
    assert len(rows_of(tmp_path / "one")) == len(rows_of(tmp_path / "three")) == 10


def test_a_cap_is_drawn_from_each_class(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "set", "--cap", 4) == 0
    counts = Counter(row.label for row in rows_of(tmp_path / "set"))
    assert counts == {"Entire": 3, "Fruit": 3, "Branch": 3, "Stem": 3, "Flower": 4, "Leaf": 4}


def test_photos_of_one_observation_stay_in_one_split(source: Path, tmp_path: Path) -> None:
    assert run(source, "--out", tmp_path / "set", "--split", "0.6,0.2,0.2") == 0
    splits: dict[str | None, set[str | None]] = {}
    for row in rows_of(tmp_path / "set"):
        splits.setdefault(row.page, set()).add(row.split)
    assert len(splits) == 13
    assert all(len(found) == 1 for found in splits.values())
    assert {split for found in splits.values() for split in found} == {"train", "val", "test"}


def test_a_photo_without_a_usable_sheet_is_left_out_with_its_reason(source: Path, tmp_path: Path) -> None:
    (source / "0.xml").unlink()
    (source / "1.xml").write_text("<Image><Author>Ann</Author></Image>")
    (source / "2.xml").write_text("<Image><Content>Bark</Content></Image>")
    (source / "3.xml").write_text("<Image><Content>Fruit")
    (source / "4.jpg").unlink()
    assert run(source, "--out", tmp_path / "set", "--quarantine") == 0
    left_out = {row.source_path: row for row in rows_of(tmp_path / "set") if not row.is_kept}
    known = "Entire, Fruit, Branch, Stem, Flower, LeafScan, Leaf"
    assert {path: (row.outcome, row.detail) for path, row in left_out.items() if path != "3.jpg"} == {
        "0.jpg": ("no_label", "wanted an XML file of the same name beside it, found none"),
        "1.jpg": ("no_label", f"1.xml: wanted a Content of {known}. There is none"),
        "2.jpg": ("no_label", f"2.xml: wanted a Content of {known}. Received: 'Bark'"),
        "4.xml": ("gone", "wanted a JPEG of the same name beside it"),
    }
    assert str(left_out["3.jpg"].detail).startswith("3.xml: cannot be read as XML (")
    assert len(list((tmp_path / "set/quarantine/no_label/unknown").iterdir())) == 4
    assert (source / "0.jpg").is_file()


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (None, "x.jpg: wanted an XML file of the same name beside it, found none; no other of 1 photos is better"),
        ("<Image/>", "x.xml: wanted a Content of Entire, Fruit, Branch, Stem, Flower, LeafScan, Leaf. There is none"),
        ("no xml", "x.xml: cannot be read as XML"),
    ],
)
def test_a_folder_without_any_class_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sheet: str | None, message: str
) -> None:
    save(tmp_path / "source" / "x.jpg", 1)
    if sheet is not None:
        (tmp_path / "source" / "x.xml").write_text(sheet)
    assert run(tmp_path / "source", "--out", tmp_path / "set") == 2
    problem = capsys.readouterr().err
    assert problem.count("\n") == 1
    assert message in problem
    assert not (tmp_path / "set").exists()


def test_a_folder_without_photos_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "x.xml").write_text("<Image/>")
    assert run(tmp_path / "source", "--out", tmp_path / "set") == 2
    assert "wanted JPEG files with an XML file beside each. Received: 1 other files" in capsys.readouterr().err
