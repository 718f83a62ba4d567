"""Images that were sorted by hand after `prepare`: where they came from is found again by their content."""

import json
from pathlib import Path

import pytest

from tests.support.loopback import Loopback
from tests.support.pictures import save
from train.__main__ import main
from train.images.manifest import FILE_NAME, read_manifest
from train.prepare.report import family_of
from train.records import ManifestRow

ANCESTRY = {0: "Plantae|Poales|Poaceae|Poa", 1: "Animalia|Felidae|Felis", 2: "Plantae|Rosales|Rosaceae"}


@pytest.fixture
def gathered(tmp_path: Path) -> Path:
    """A set of six images of one class, made smaller, from a breakdown with ancestry."""
    for number in range(6):
        save(tmp_path / "web" / f"{number}.jpg", number, (96, 80))
    with Loopback(tmp_path / "web") as server:
        rows = [f"{n}\t{server.url(f'{n}.jpg')}\t{ANCESTRY[n % 3]}" for n in range(6)]
        (tmp_path / "breakdown.txt").write_text("\n".join(["identifier\teolMediaURL\tancestry", *rows]) + "\n")
        words = [
            "prepare",
            "lists",
            f"new={tmp_path / 'breakdown.txt'}",
            "--out",
            str(tmp_path / "set"),
            "--size",
            "40",
        ]
        assert main([*words, "--allow-private-hosts"]) == 0
    return tmp_path / "set"


def sort_by_hand(gathered: Path, into: Path) -> None:
    """Even ones are flowers, odd ones are none; each under a new name."""
    for number, path in enumerate(sorted((gathered / "images/new").iterdir())):
        target = into / ("flower" if number % 2 == 0 else "null") / f"looked at {number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def rows_of(folder: Path) -> list[ManifestRow]:
    return read_manifest(folder / FILE_NAME)


@pytest.mark.parametrize("where", ["beside", "elsewhere"])
def test_source_and_ancestry_are_known_again_whatever_the_files_are_called(
    where: str, gathered: Path, tmp_path: Path
) -> None:
    before = {row.file_sha256: row for row in rows_of(gathered)}
    folder = gathered / "images" if where == "beside" else tmp_path / "sorted"
    sort_by_hand(gathered, folder)
    more = [] if where == "beside" else ["--manifest", str(gathered / FILE_NAME)]
    if where == "beside":
        (gathered / "images/new").rmdir()
    assert main(["prepare", "folder", str(folder), "--out", str(tmp_path / "again"), *more]) == 0
    after = rows_of(tmp_path / "again")
    assert [row.label for row in after] == ["flower"] * 3 + ["null"] * 3
    for row in after:
        known = before[row.sha256]
        assert (row.source_url, row.ancestry) == (known.source_url, known.ancestry)
        assert row.source_url is not None
    report = json.loads((tmp_path / "again/report.json").read_text())
    assert "6 images were known by their content, whatever they are called now" in report["notes"]


def test_images_of_each_class_are_counted_by_family(gathered: Path) -> None:
    report = json.loads((gathered / "report.json").read_text())
    assert report["families"] == {"new": {"Felidae": 2, "Poaceae": 2, "Rosaceae": 2}}
    assert "new: images of 3 families: Felidae 2, Poaceae 2, Rosaceae 2" in (gathered / "report.txt").read_text()


@pytest.mark.parametrize(
    ("ancestry", "family"),
    [
        ("Plantae|Poales|Poaceae|Poa", "Poaceae"),
        ("Plantae|Rosidae|Rosaceae", "Rosaceae"),
        ("Animalia|Felidae", "Felidae"),
        ("Animalia", None),
        (None, None),
    ],
)
def test_a_family_is_told_by_its_ending(ancestry: str | None, family: str | None) -> None:
    assert family_of(ancestry) == family
