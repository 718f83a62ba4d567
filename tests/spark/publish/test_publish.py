"""Publications: complete, valid, switched at once, guarded, and undone."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow.parquet as pq
import pytest
from frictionless import Package

from eoltag.publish.darwin_core import NOT_AUDITED
from eoltag.spark.runtime.command import run_command
from jobs import decide_tags, publish_tags, verify_output
from tests.spark.publish.conftest import KIND, PERMUTED, ROWS, url_of

pytestmark = pytest.mark.spark


def publish(*options: str) -> int:
    return run_command(lambda: publish_tags.main(arguments=["out", "--task", "kind.toml", *options]))


def decide() -> int:
    return run_command(lambda: decide_tags.main(arguments=["--task", "kind.toml", "--output", "out"]))


def current(place: Path) -> str:
    return str(json.loads((place / "out" / "published" / "current.json").read_text())["version"])


def contents(place: Path, version: str) -> dict[str, str]:
    """Path -> sha256 of every file of a publication."""
    folder = place / "out" / "published" / version
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # mlcroissant's use of rdflib
def test_a_publication_holds_the_tags_the_files_and_what_the_standards_want(place: Path) -> None:
    assert publish("--license", "CC0-1.0") == 0
    version = current(place)
    folder = place / "out" / "published" / version
    manifest = json.loads((folder / "manifest.json").read_text())
    there = contents(place, version)
    del there["manifest.json"]
    assert {file["path"]: file["sha256"] for file in manifest["files"]} == there
    rows = {file["path"]: file["rows"] for file in manifest["files"]}
    assert rows["tags/task=kind/part-00000.parquet"] == ROWS
    assert (rows["tsv/kind/list_finaltags.tsv"], rows["tsv/kind/list_failures.tsv"]) == (ROWS - 1, 1)
    for name in ("list_finaltags.tsv", "list_failures.tsv"):
        assert (folder / "tsv/kind" / name).read_bytes() == (place / "out/tsv/kind" / name).read_bytes()
    tags = pq.read_table(folder / "tags/task=kind/part-00000.parquet").to_pylist()
    assert [row["bundle_row"] for row in tags] == list(range(1, ROWS + 1))

    report = Package(str(folder / "dwc-dp/datapackage.json")).validate()
    assert report.valid, report.flatten(["message"])
    media, said = (read_csv(folder / "dwc-dp" / f"{name}.csv") for name in ("media", "media-assertion"))
    assert [row["media_pk"] for row in media] == sorted(url_of(number) for number in range(ROWS - 1))
    assert {(row["pixelXDimension"], row["hashFunction"]) for row in media} == {("640", "SHA-256")}
    assert len(said) == ROWS - 1
    photo = next(row for row in said if row["media_fk"] == url_of(0))
    assert photo["assertionValueIRI"] == "http://rs.tdwg.org/acsubtype/values/Photograph"
    assert photo["assertionError"] == NOT_AUDITED
    assert photo["assertionRemarks"] == "MachineObservation; rule photos; confidence 0.6000"
    assert all(row["assertionProtocol_fk"] and row["assertionMadeDate"] and row["assertionBy"] for row in said)

    dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not dataset.metadata.issues.errors
    assert sum(1 for _ in dataset.records("media-assertion")) == ROWS - 1


def test_the_foreign_keys_are_checked(place: Path) -> None:
    assert publish() == 0
    file = place / "out/published" / current(place) / "dwc-dp/media-assertion.csv"
    file.write_text(file.read_text().replace(url_of(5), "https://eol.org/nowhere.jpg"))
    assert not Package(str(file.parent / "datapackage.json")).validate().valid


def test_the_same_state_is_published_once_and_every_other_state_has_its_own_name(place: Path) -> None:
    assert publish() == 0
    first = current(place)
    assert decide() == 0  # decided again, with the same tags
    assert publish() == 0
    assert current(place) == first
    assert publish("--title", "Other words") == 0
    assert current(place) != first
    assert publish() == 0  # back to the state of the first
    assert current(place) == first
    assert len(list((place / "out/published").glob("*/manifest.json"))) == 2


def test_shifted_labels_are_stopped_and_undo_brings_the_earlier_bytes_back(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish() == 0
    first, before = current(place), contents(place, current(place))
    (place / "kind.toml").write_text(PERMUTED)
    assert decide() == 0
    capsys.readouterr()
    assert publish() == 4
    said = capsys.readouterr().out
    assert current(place) == first
    assert "119 of 119 tags (100.0%) differ from publication" in said
    assert "  map -> photo: 79\n  photo -> map: 40\n  most confident:\n" in said
    assert "    map -> photo  0.718  https://eol.org/118.jpg" in said
    page = (place / "out/report/refused.html").read_text()
    assert page.count("<figure") == 10
    assert "map → photo" in page

    assert publish("--max-flip-rate", "1") == 0
    second = current(place)
    assert second != first
    assert run_command(lambda: publish_tags.main(arguments=["out", "--undo"])) == 0
    assert current(place) == first
    assert contents(place, first) == before
    assert run_command(lambda: publish_tags.main(arguments=["out", "--undo"])) == 2  # there is none before the first


@pytest.mark.usefixtures("place")
def test_old_publications_go_but_not_the_current_one_and_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    for title in ("a", "b", "c"):
        assert publish("--title", title, "--keep", "1") == 0
    capsys.readouterr()
    assert run_command(lambda: publish_tags.main(arguments=["out", "--list", "--json"])) == 0
    listed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert len(listed["publications"]) == 2
    assert listed["publications"][-1]["version"] == listed["current"]


@pytest.mark.parametrize(
    ("file", "options", "said"),
    [
        (
            KIND.replace("> 0.5", "> 0.6"),
            (),
            "the tags of task 'kind' were not made by the rules and models of kind.toml",
        ),
        (KIND.replace("photo = ", "foto = "), (), "publish.terms: no rule gives the tag 'foto'"),
        (KIND.replace("acsubtype:Map", "acsubtype:Mop"), (), "acsubtype has no value 'Mop'"),
        (KIND + 'agreement = { models = ["main", "other"], floor = 0.9 }\n', (), "publish.agreement: no model 'other'"),
        (KIND, ("--undo",), "--undo: stands alone"),
        (KIND, ("--keep", "0"), "publish.keep"),
    ],
)
def test_what_cannot_be_published_is_refused_in_one_line(
    place: Path, file: str, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "kind.toml").write_text(file)
    assert publish(*options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert not (place / "out/published").exists()


def test_a_task_does_not_leave_a_publication_unnoticed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish() == 0
    (place / "kind.toml").rename(place / "other.toml")
    (place / "other.toml").write_text(KIND.replace('name = "kind"', 'name = "other"'))
    note = json.loads((place / "out/decided/kind.json").read_text())
    (place / "out/decided/other.json").write_text(json.dumps({**note, "decision": ""}))
    assert run_command(lambda: decide_tags.main(arguments=["--task", "other.toml", "--output", "out"])) == 0
    assert run_command(lambda: publish_tags.main(arguments=["out", "--task", "other.toml"])) == 2
    assert "has task 'kind' as well" in capsys.readouterr().err
    assert run_command(lambda: publish_tags.main(arguments=["out", "--task", "other.toml", "--without", "kind"])) == 0


def test_a_publication_that_was_broken_off_is_removed_by_the_next(place: Path) -> None:
    half = place / "out/published/20250101T000000Z-00000000"
    (half / "tags").mkdir(parents=True)
    assert publish() == 0
    assert not half.exists()


def test_columns_that_a_run_has_kept_are_published_and_verified_with_the_rest(place: Path) -> None:
    note = place / "out/decided/kind.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "kept": ["rights"]}))
    assert decide() == 0
    assert publish() == 0
    header = (place / "out/published" / current(place) / "tsv/kind/list_finaltags.tsv").read_text().splitlines()[0]
    assert header.endswith("\trights")
    assert run_command(lambda: verify_output.main(arguments=["out"])) == 0


def test_drift_stops_a_publication_and_lets_the_certificate_lapse(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "kind.toml").write_text(f"{KIND}max_drift = 0.25\n")
    (place / "out/certificates").mkdir()
    certificate = place / "out/certificates/kind.json"
    certificate.write_text(json.dumps({"task": "kind", "models": {}, "lapsed": None}))
    assert publish() == 0
    (place / "kind.toml").write_text(f"{PERMUTED}max_drift = 0.25\n")
    assert decide() == 0
    assert publish("--max-flip-rate", "1") == 4
    assert "tags drifted: population stability index 0.4" in capsys.readouterr().out
    assert "tags drifted" in json.loads(certificate.read_text())["lapsed"]
