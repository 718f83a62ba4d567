"""`prepare ratings`: EOL's published tables, column for column, to the counts that a hand gives."""

import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loopback import Loopback
from tests.support.pictures import save
from train.__main__ import main
from train.images.manifest import FILE_NAME, read_manifest

RATING_COLUMNS = (
    "eol_pk obj_guid total_rating_actions overall_rating obj_with_overall_rating obj_type obj_url obj_description "
    "taxon_concept_id sciname rank ancestry resource_id resource_name partner_id partner_name collection_id"
)
EXEMPLAR_COLUMNS = (
    "eol_pk date user_id user_name activity ch_object_type target_id guid description object_url type taxon_concept_id "
    "sciname rank ancestry resource_id resource_name partner_id partner_name collection_id"
)

RATINGS = ["1", "1.5", "2.5", "3", "3.5", "4.5", "4.6", "5", "0.2", "", "five"]
"""Half to even: 1.5 and 2.5 are two stars, 3.5 and 4.5 four; the last three are no rating."""
STARS = {0: "1", 1: "2", 2: "2", 3: "3", 4: "4", 5: "4", 6: "5", 7: "5"}
EXEMPLARS = [7, 20, 21, 21, 0]
"""One that has five stars, two without a rating (one of them twice), one that is rated 1."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Serves pictures 0.jpg to 29.jpg and the two tables."""
    for number in range(30):
        save(tmp_path / "web" / f"{number}.jpg", number)
    with Loopback(tmp_path / "web") as server:
        write_tables(tmp_path / "web", server)
        yield server


def write_tables(folder: Path, server: Loopback, *, leave_out: str = "") -> None:
    """Both tables as EOL publishes them: tabs, no quoting, a zip each."""
    rated = [{"overall_rating": rating, "obj_url": server.url(f"{n}.jpg")} for n, rating in enumerate(RATINGS)]
    chosen = [{"object_url": server.url(f"{n}.jpg")} for n in EXEMPLARS]
    header = " ".join(name for name in RATING_COLUMNS.split() if name != leave_out)
    write_table(folder / "image_ratings.txt", header, rated)
    write_table(folder / "images_selected_as_exemplar.txt", EXEMPLAR_COLUMNS, chosen)


def write_table(path: Path, header: str, rows: list[dict[str, str]]) -> None:
    columns = header.split()
    ordinary = {"obj_description": 'a "quote that never ends', "ancestry": '{"phylum":{"name":"Chordata"}}'}
    lines = ["\t".join(columns), *("\t".join((ordinary | row).get(name, "7") for name in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with zipfile.ZipFile(path.with_suffix(".txt.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)


def run(server: Loopback, out: Path, *arguments: object) -> int:
    """`python -m train prepare ratings ...` from the zips on the server."""
    lists = (
        "--ratings",
        server.url("image_ratings.txt.zip"),
        "--exemplars",
        server.url("images_selected_as_exemplar.txt.zip"),
    )
    return main(["prepare", "ratings", *lists, "--out", str(out), "--allow-private-hosts", *map(str, arguments)])


def found(out: Path, server: Loopback) -> dict[int, str]:
    """Number of the picture -> its class."""
    base = len(server.url(""))
    rows = read_manifest(out / FILE_NAME)
    return {int(str(row.source_url)[base:].removesuffix(".jpg")): row.label for row in rows if row.is_kept}


def test_ratings_are_rounded_half_to_even_and_exemplars_are_five(server: Loopback, tmp_path: Path) -> None:
    assert run(server, tmp_path / "set") == 0
    assert found(tmp_path / "set", server) == STARS | {20: "5", 21: "5"}
    notes = json.loads((tmp_path / "set" / "report.json").read_text())["notes"]
    assert [note.partition(": ")[2] for note in notes] == [
        "3 rows without a URL or with a rating outside 0.5 to 5.5 were left out",
        "2 exemplars were added to the images with five stars",
        "1 exemplars are rated otherwise and keep their rating",
    ]


def test_bad_is_one_and_two_good_is_four_and_five(server: Loopback, tmp_path: Path) -> None:
    assert run(server, tmp_path / "set", "--layout", "quality") == 0
    names = {"1": "bad", "2": "bad", "4": "good", "5": "good"}
    expected = {number: names[star] for number, star in STARS.items() if star in names} | {20: "good", 21: "good"}
    assert found(tmp_path / "set", server) == expected


def test_five_stars_are_drawn_as_eol_draws_them(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.prepare.sources.ratings.EOL_EXEMPLARS", 0)
    monkeypatch.setattr("train.prepare.kinds._CAPS", {"ratings": 1})
    assert run(server, tmp_path / "set") == 0
    kept = found(tmp_path / "set", server)
    assert Counter(kept.values()) == {"1": 1, "2": 1, "3": 1, "4": 1, "5": 3}
    assert {6, 7, 21} <= set(kept), "all that are rated five, and the exemplar that was chosen twice"


def test_stars_stay_in_the_manifest_of_every_layout(server: Loopback, tmp_path: Path) -> None:
    assert run(server, tmp_path / "set", "--layout", "quality") == 0
    rows = read_manifest(tmp_path / "set" / FILE_NAME)
    assert Counter((row.label, row.stars) for row in rows) == {
        ("bad", 1): 1, ("bad", 2): 2, ("good", 4): 2, ("good", 5): 4,
    }  # fmt: skip


def test_eols_lists_are_written_where_asked_and_no_image_is_fetched(server: Loopback, tmp_path: Path) -> None:
    words = ["prepare", "ratings", "--allow-private-hosts", "--lists", str(tmp_path / "lists"), "--cap", "1"]
    words += ["--ratings", server.url("image_ratings.txt.zip")]
    assert main([*words, "--exemplars", server.url("images_selected_as_exemplar.txt.zip")]) == 0
    names = [f"{star}_download{more}.txt" for star in ("five", "four", "one", "three", "two") for more in ("", "_7k")]
    assert sorted(path.name for path in (tmp_path / "lists").iterdir()) == sorted(names)
    two, drawn = ((tmp_path / f"lists/two_download{more}.txt").read_text().splitlines() for more in ("", "_7k"))
    assert two == [server.url("1.jpg"), server.url("2.jpg")]
    assert len(drawn) == 1
    assert set(drawn) <= set(two)
    assert not [path for path in server.requests if path.endswith(".jpg")]


def test_the_cap_counts_by_stars_in_both_layouts(server: Loopback, tmp_path: Path) -> None:
    assert run(server, tmp_path / "set", "--layout", "quality", "--cap", 1) == 0
    kept = found(tmp_path / "set", server)
    assert Counter(kept.values()) == {"bad": 2, "good": 2}
    assert 0 in kept, "the only one with one star"


def test_ratings_alone_have_no_exemplars(server: Loopback, tmp_path: Path) -> None:
    assert run(server, tmp_path / "set", "--no-exemplars") == 0
    assert found(tmp_path / "set", server) == STARS


def test_the_older_table_without_eol_pk_is_read_as_well(server: Loopback, tmp_path: Path) -> None:
    write_tables(tmp_path / "web", server, leave_out="eol_pk")
    assert run(server, tmp_path / "set") == 0
    assert found(tmp_path / "set", server) == STARS | {20: "5", 21: "5"}


def test_plain_files_in_latin1_are_read_as_well(server: Loopback, tmp_path: Path) -> None:
    table = tmp_path / "web" / "image_ratings.txt"
    table.write_bytes(table.read_text().replace('a "quote', "Drag\xe3o").encode("latin1"))
    assert main(["prepare", "ratings", "--ratings", str(table), "--no-exemplars", "--allow-private-hosts",
                 "--out", str(tmp_path / "set")]) == 0  # fmt: skip
    assert found(tmp_path / "set", server) == STARS


def test_a_url_rated_twice_counts_once_with_its_first_rating(server: Loopback, tmp_path: Path) -> None:
    rows = [{"overall_rating": rating, "obj_url": server.url("1.jpg")} for rating in ("4", "1")]
    write_table(tmp_path / "web" / "image_ratings.txt", RATING_COLUMNS, rows)
    assert run(server, tmp_path / "set", "--no-exemplars") == 0
    assert found(tmp_path / "set", server) == {1: "4"}
    assert "1 rows repeat a URL; the first rating counts" in (tmp_path / "set" / "report.txt").read_text()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("overall_rating", "wanted the column overall_rating. Received: eol_pk, obj_guid, total_rating_actions"),
        ("obj_url", "wanted the column obj_url or object_url or eolMediaURL or image_url or url. Received: eol_pk"),
    ],
)
def test_a_table_without_its_column_is_one_clear_line(
    server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, message: str
) -> None:
    write_tables(tmp_path / "web", server, leave_out=column)
    assert run(server, tmp_path / "set") == 2
    problem = capsys.readouterr().err
    assert problem.count("\n") == 1
    assert problem.startswith(f"error: {server.url('image_ratings.txt.zip')}, member 'image_ratings.txt': {message}")


def test_a_table_without_ratings_or_not_there_is_one_clear_line(
    server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(tmp_path / "web" / "image_ratings.txt", RATING_COLUMNS, [])
    assert run(server, tmp_path / "set", "--no-exemplars") == 2
    assert "wanted rows with a URL and a rating of 1 to 5. Received: none" in capsys.readouterr().err
    assert main(["prepare", "ratings", "--ratings", str(tmp_path / "nowhere"), "--out", str(tmp_path / "set")]) == 2
    assert (
        capsys.readouterr().err == f"error: {tmp_path}/nowhere: wanted a list of image URLs. Received: no such file\n"
    )
