"""`prepare lists`: a list of URLs per class, fetched once, gone on with after a stop, failures kept as rows."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loopback import Loopback
from tests.support.pictures import save
from train.__main__ import main
from train.images.manifest import FILE_NAME, read_manifest
from train.records import ManifestRow

FAST = "[fetch]\nattempts = 1\ndeadline_s = 5.0\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Loopback]:
    """Serves pictures 0.jpg to 29.jpg."""
    for number in range(30):
        save(tmp_path / "web" / f"{number}.jpg", number)
    (tmp_path / "fast.toml").write_text(FAST)
    with Loopback(tmp_path / "web") as server:
        yield server


def write_list(path: Path, urls: list[str]) -> Path:
    """As EOL's classifier bundles: one URL a line, no header."""
    path.write_text("\n".join(urls) + "\n")
    return path


def run(tmp_path: Path, *arguments: object, out: str = "set") -> int:
    """`python -m train prepare lists ...`."""
    options = ("--out", tmp_path / out, "--allow-private-hosts", "--config", tmp_path / "fast.toml")
    return main(["prepare", "lists", *map(str, (*arguments, *options))])


def rows_of(tmp_path: Path, out: str = "set") -> list[ManifestRow]:
    return read_manifest(tmp_path / out / FILE_NAME)


@pytest.fixture
def classes(server: Loopback, tmp_path: Path) -> list[str]:
    """map: 0 to 9; illus: 10 to 14 in one list and 15 to 19 in another."""
    lists = {
        "maps": range(10),
        "zoological": range(10, 15),
        "botanical": range(15, 20),
    }
    for name, numbers in lists.items():
        write_list(tmp_path / f"{name}.txt", [server.url(f"{number}.jpg") for number in numbers])
    return [f"map={tmp_path}/maps.txt", f"illus={tmp_path}/zoological.txt", f"illus={tmp_path}/botanical.txt"]


def test_each_class_has_the_images_of_its_lists_and_null_those_of_a_folder(
    classes: list[str], server: Loopback, tmp_path: Path
) -> None:
    for number in range(20, 24):
        save(tmp_path / "others" / "deep" / f"{number}.jpg", number)
    assert run(tmp_path, *classes, "--null-folder", tmp_path / "others") == 0
    rows = rows_of(tmp_path)
    assert Counter(row.label for row in rows) == {"map": 10, "illus": 10, "null": 4}
    assert {row.source_url for row in rows if row.label == "map"} == {server.url(f"{n}.jpg") for n in range(10)}
    assert {row.source_path for row in rows if row.label == "null"} == {f"deep/{n}.jpg" for n in range(20, 24)}
    assert len(list((tmp_path / "set/images/illus").iterdir())) == 10


def test_a_cap_fetches_no_more_than_it_needs(classes: list[str], server: Loopback, tmp_path: Path) -> None:
    assert run(tmp_path, *classes, "--cap", 3) == 0
    assert Counter(row.label for row in rows_of(tmp_path)) == {"map": 3, "illus": 3}
    assert len(server.requests) == 6


def test_one_seed_gives_identical_manifests_and_another_a_different_one(classes: list[str], tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert run(tmp_path, *classes, "--cap", 3, "--seed", seed, out=name) == 0
    one, two, three = ((tmp_path / name / FILE_NAME).read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_the_order_in_which_lists_name_images_does_not_matter(classes: list[str], tmp_path: Path) -> None:
    assert run(tmp_path, *classes, "--cap", 3, out="one") == 0
    for path in tmp_path.glob("*.txt"):
        path.write_text("\n".join(path.read_text().splitlines()[::-1]))
    assert run(tmp_path, *classes[::-1], "--cap", 3, out="two") == 0
    assert (tmp_path / "one" / FILE_NAME).read_bytes() == (tmp_path / "two" / FILE_NAME).read_bytes()


def test_a_url_that_fails_is_a_row_with_its_outcome(classes: list[str], server: Loopback, tmp_path: Path) -> None:
    faults = [server.url(path) for path in ("/status/404/x", "/status/503/x", "/html/x", "/truncated/20.jpg")]
    write_list(tmp_path / "faults.txt", [*faults, "ftp://eol.org/x.jpg"])
    assert run(tmp_path, *classes, f"map={tmp_path}/faults.txt", "--quarantine") == 0
    outcomes = {row.source_url: row.outcome for row in rows_of(tmp_path) if not row.is_kept}
    assert outcomes == dict(zip(faults, ["gone", "server_error", "not_image", "truncated"], strict=True)) | {
        "ftp://eol.org/x.jpg": "bad_url"
    }
    assert sorted(path.name for path in (tmp_path / "set/quarantine").iterdir()) == ["not_image", "truncated"]


def test_a_second_run_fetches_only_what_may_come_now(classes: list[str], server: Loopback, tmp_path: Path) -> None:
    paths = ["/status/404/x", "/flaky/503/1/20.jpg"]
    write_list(tmp_path / "faults.txt", [server.url(path) for path in paths])
    arguments = (*classes, f"map={tmp_path}/faults.txt")
    assert run(tmp_path, *arguments) == 0
    assert Counter(row.label for row in rows_of(tmp_path) if row.is_kept) == {"map": 10, "illus": 10}
    server.requests.clear()
    assert run(tmp_path, *arguments, "--overwrite") == 0
    assert server.requests == ["/flaky/503/1/20.jpg"]
    assert Counter(row.label for row in rows_of(tmp_path) if row.is_kept) == {"map": 11, "illus": 10}
    server.requests.clear()
    assert run(tmp_path, *arguments, "--overwrite", "--retry-failed") == 0
    assert server.requests == ["/status/404/x"]


def test_a_stopped_run_goes_on_where_it_was(
    classes: list[str], server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eoltag.fetch import read_ahead

    whole = read_ahead.fetch_ahead

    def stopped(*arguments: object, **options: object) -> Iterator[object]:
        for number, result in enumerate(whole(*arguments, **options)):  # type: ignore[arg-type]
            if number == 7:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(read_ahead, "fetch_ahead", stopped)
    assert run(tmp_path, *classes) == 130
    assert not (tmp_path / "set" / FILE_NAME).exists()
    kept = {path.name for path in (tmp_path / "set/downloads").iterdir() if path.suffix == ""}
    assert len(kept) == 7
    monkeypatch.undo()
    server.requests.clear()
    assert run(tmp_path, *classes) == 0
    assert len(server.requests) == 13
    assert len([row for row in rows_of(tmp_path) if row.is_kept]) == 20


def test_the_result_of_a_stopped_run_is_that_of_an_unbroken_one(
    classes: list[str], server: Loopback, tmp_path: Path
) -> None:
    write_list(tmp_path / "gone.txt", [server.url("/status/404/x")])
    assert run(tmp_path, *classes, f"map={tmp_path}/gone.txt") == 0
    first = (tmp_path / "set" / FILE_NAME).read_bytes()
    for path in list((tmp_path / "set/downloads").iterdir())[::2]:
        path.unlink()
    assert run(tmp_path, *classes, f"map={tmp_path}/gone.txt", "--overwrite") == 0
    assert (tmp_path / "set" / FILE_NAME).read_bytes() == first


def test_a_url_that_two_classes_list_is_in_neither(classes: list[str], server: Loopback, tmp_path: Path) -> None:
    write_list(tmp_path / "more.txt", [server.url("3.jpg"), server.url("25.jpg")])
    assert run(tmp_path, *classes, f"phylo={tmp_path}/more.txt") == 0
    left_out = [row for row in rows_of(tmp_path) if not row.is_kept]
    assert [(row.label, row.source_url, row.outcome, row.detail) for row in left_out] == [
        ("map", server.url("3.jpg"), "conflict", "listed under map, phylo"),
        ("phylo", server.url("3.jpg"), "conflict", "listed under map, phylo"),
    ]


def test_private_hosts_are_refused_unless_allowed(
    classes: list[str], server: Loopback, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "lists", *classes, "--out", str(tmp_path / "set")]) == 2
    assert "wanted images that can be used. Received: none (blocked_host 20)" in capsys.readouterr().err
    assert server.requests == []
    assert run(tmp_path, *classes) == 0, "and are asked once they are allowed"
    assert len(server.requests) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["maps.txt"], "wanted CLASS=LIST, as maps=maps.txt. Received: 'maps.txt'"),
        (["a/b={tmp}/maps.txt"], "class 'a/b': wanted a name that can be a folder's"),
        (["map={tmp}/nowhere.txt"], "nowhere.txt: wanted a list of image URLs. Received: no such file"),
        (
            ["map={tmp}/maps.txt", "--null-folder", "{tmp}/nowhere"],
            "nowhere: wanted a folder of images. Received: no such folder",
        ),
        (["map={tmp}/empty.txt"], "empty.txt: wanted a list of image URLs; came an empty file"),
    ],
)
@pytest.mark.usefixtures("classes")
def test_what_cannot_be_used_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "empty.txt").touch()
    assert run(tmp_path, *(argument.format(tmp=tmp_path) for argument in arguments)) == 2
    problem = capsys.readouterr().err
    assert problem.count("\n") == 1
    assert message in problem


def test_failures_of_an_earlier_run_survive_a_line_that_was_cut(
    classes: list[str], server: Loopback, tmp_path: Path
) -> None:
    folder = tmp_path / "set" / "downloads"
    folder.mkdir(parents=True)
    known = {"url": server.url("0.jpg"), "outcome": "gone", "detail": "404"}
    (folder / "failures.jsonl").write_text(json.dumps(known) + '\n{"url": "http')
    assert run(tmp_path, *classes) == 0
    assert server.url("0.jpg") not in {row.source_url for row in rows_of(tmp_path) if row.is_kept}
    assert len(server.requests) == 19
