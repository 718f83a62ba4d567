"""`python -m train collect`: from a table of search terms to images with their sources, as a user runs it."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from eoltag import __version__
from eoltag.image.decode import decode
from eoltag.settings import FetchSettings
from tests.support.api_server import CLIENT, FLICKR_KEY, GOOGLE_ENGINE, GOOGLE_KEY, LICENCES, TOKEN, ApiServer, picture
from train.__main__ import main
from train.collect.journal import Collection
from train.collect.providers import PROVIDERS
from train.collect.providers.licences import CODES, licence_code
from train.collect.providers.policy import Policy, Quota
from train.collect.search import _within_policy
from train.images.manifest import read_manifest
from train.records import ManifestRow

HEADER = "search_term,number_imgs,folder_name,train_val\n"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """Searches with 120 results."""
    with ApiServer() as server:
        yield server


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In the environment, as a user has them; what is kept of quotas lies in a folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("FLICKR_API_KEY", FLICKR_KEY)
    monkeypatch.setenv("REDDIT_USERNAME", "somebody")
    monkeypatch.setenv("GOOGLE_API_KEY", GOOGLE_KEY)
    monkeypatch.setenv("GOOGLE_CX", GOOGLE_ENGINE)
    monkeypatch.setenv("REDDIT_CLIENT_ID", CLIENT[0])
    monkeypatch.setenv("REDDIT_CLIENT_SECRET", CLIENT[1])


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    """Two classes, one of them with images for training and for validation."""
    path = tmp_path / "terms.csv"
    path.write_text(HEADER + "Bellis perennis,6,daisy,train\nBellis perennis,3,daisy,val\nRosa canina,4,rose,train\n")
    return path


def collect(terms: Path, out: Path, server: ApiServer, *arguments: str, provider: str = "commons") -> int:
    """The exit code."""
    where = ["--out", str(out), "--base-url", server.base, "--allow-private-hosts"]
    return main(["collect", str(terms), "--provider", provider, *where, *arguments])


def files(out: Path) -> list[str]:
    """Images below a folder."""
    return sorted(path.relative_to(out).as_posix() for path in out.glob("*/*/*"))


def kept(out: Path) -> list[ManifestRow]:
    """Rows of images that are there."""
    return [row for row in read_manifest(out / "manifest.parquet") if row.is_kept]


def error(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr that says what was wrong."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_images_of_every_provider_lie_in_set_and_class_with_their_source_in_the_manifest(
    provider: str, tmp_path: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "terms.csv"
    table.write_text(HEADER + "Bellis perennis,3,daisy,train\nBellis perennis,2,daisy,val\n")
    assert collect(table, tmp_path / "out", server, "--json", provider=provider) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["images"], report["failed"]) == (5, {})
    assert [term["collected"] for term in report["terms"]] == [3, 2]
    names = [f"train/daisy/daisy_{number:05d}.png" for number in (1, 2, 3)]
    assert files(tmp_path / "out") == [*names, "val/daisy/daisy_00001.png", "val/daisy/daisy_00002.png"]
    for row in kept(tmp_path / "out"):
        data = (tmp_path / "out" / str(row.path)).read_bytes()
        decoded = decode(data, [], 10**6)
        assert (row.label, row.width, row.height, row.color_mode) == ("daisy", 48, 40, "RGB")
        assert row.perceptual_hash == decoded.perceptual_hash
        assert row.source_url is not None
        assert row.source_url.startswith(server.base)
        assert row.author is not None
        assert row.split == str(row.path).split("/")[0]


def test_one_term_for_two_sets_gives_different_images_dealt_by_the_seed(
    tmp_path: Path, terms: Path, server: ApiServer
) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert collect(terms, tmp_path / name, server, "--seed", seed) == 0
    urls = {name: {row.path: row.source_url for row in kept(tmp_path / name)} for name in "abc"}
    assert len(set(urls["a"].values())) == 13
    assert Counter(str(path).rpartition("/")[0] for path in urls["a"]) == {
        "train/daisy": 6,
        "val/daisy": 3,
        "train/rose": 4,
    }
    assert (tmp_path / "a" / "manifest.parquet").read_bytes() == (tmp_path / "b" / "manifest.parquet").read_bytes()
    assert urls["a"] != urls["c"]


def test_a_second_run_asks_for_nothing_and_a_larger_wish_only_for_the_rest(
    tmp_path: Path, terms: Path, server: ApiServer
) -> None:
    assert collect(terms, tmp_path / "out", server) == 0
    before = {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in files(tmp_path / "out")}
    asked = len(server.asked)
    assert collect(terms, tmp_path / "out", server) == 0
    assert len(server.asked) == asked
    terms.write_text(HEADER + "Rosa canina,7,rose,train\n")
    images = server.count("/images/")
    assert collect(terms, tmp_path / "out", server) == 0
    assert server.count("/images/") == images + 3
    after = files(tmp_path / "out")
    assert set(after) - set(before) == {f"train/rose/rose_{number:05d}.png" for number in (5, 6, 7)}
    assert {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in before} == before


def test_what_was_brought_before_the_service_gave_up_stays_and_the_next_run_goes_on(
    tmp_path: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "terms.csv"
    server.push_back("/images/3.png", 404)
    for _ in range(2):
        server.push_back("/w/api.php", 200, {"query": {"pages": [server.commons_page(n) for n in range(8)]}})
    server.push_back("/w/api.php", 403)
    table.write_text(HEADER + "a,7,daisy,train\nb,7,daisy,train\nc,2,daisy,train\n")
    assert collect(table, tmp_path / "out", server) == 2
    line = error(capsys)
    assert "HTTP 403" in line
    assert "7 images are in" in line
    assert len(kept(tmp_path / "out")) == 7
    assert [(row.outcome, row.source_url) for row in read_manifest(tmp_path / "out" / "manifest.parquet")][-1] == (
        "gone",
        f"{server.base}/images/3.png",
    )
    assert collect(table, tmp_path / "out", server) == 0
    assert len(files(tmp_path / "out")) == 16
    assert server.count("/images/3.png") == 1


def test_a_line_that_a_kill_cut_is_asked_again(tmp_path: Path, terms: Path, server: ApiServer) -> None:
    assert collect(terms, tmp_path / "out", server) == 0
    journal = tmp_path / "out" / "collected.jsonl"
    whole = journal.read_text()
    journal.write_text(whole[:-40])
    assert collect(terms, tmp_path / "out", server) == 0
    assert journal.read_text() == whole


def test_an_image_that_somebody_deleted_is_replaced_by_another(tmp_path: Path, terms: Path, server: ApiServer) -> None:
    assert collect(terms, tmp_path / "out", server) == 0
    deleted = kept(tmp_path / "out")[1]
    (tmp_path / "out" / str(deleted.path)).unlink()
    assert collect(terms, tmp_path / "out", server) == 0
    rows = read_manifest(tmp_path / "out" / "manifest.parquet")
    assert len(kept(tmp_path / "out")) == 13
    assert [(row.source_url, row.outcome) for row in rows if not row.is_kept] == [(deleted.source_url, "removed")]
    assert server.count(str(deleted.source_url).removeprefix(server.base)) == 1
    assert str(deleted.path) not in files(tmp_path / "out")


def test_failures_are_rows_and_other_images_take_their_place(
    tmp_path: Path, terms: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.push_back("/images/0.png", 404)
    server.push_back("/images/1.png", 200, b"<html>no image</html>")
    server.push_back("/images/2.png", 200, b"\x89PNG\r\n\x1a\n but broken" * 9)
    assert collect(terms, tmp_path / "out", server, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["failed"] == {"gone": 1, "not_image": 1, "undecodable": 1}
    assert report["images"] == 13
    failed = [row for row in read_manifest(tmp_path / "out" / "manifest.parquet") if not row.is_kept]
    assert [(str(row.source_url)[-6:], row.path, row.outcome) for row in failed] == [
        ("/0.png", None, "gone"),
        ("/1.png", None, "not_image"),
        ("/2.png", None, "undecodable"),
    ]


def test_the_same_bytes_under_two_urls_are_kept_once(tmp_path: Path, server: ApiServer) -> None:
    table = tmp_path / "terms.csv"
    table.write_text(HEADER + "daisy,3,daisy,train\n")
    server.push_back("/images/1.png", 200, picture(0))
    assert collect(table, tmp_path / "out", server) == 0
    rows = read_manifest(tmp_path / "out" / "manifest.parquet")
    assert [row.outcome for row in rows] == ["ok", "ok", "ok", "duplicate"]
    assert len({row.sha256 for row in rows if row.is_kept}) == 3


def test_the_suffix_is_that_of_the_content(tmp_path: Path, server: ApiServer, sample_images: Path) -> None:
    table = tmp_path / "terms.csv"
    table.write_text(HEADER + "daisy,2,daisy,train\n")
    jpeg = next(path for path in sorted((sample_images / "photo").iterdir()) if path.suffix == ".jpg").read_bytes()
    server.push_back("/images/0.png", 200, jpeg)
    assert collect(table, tmp_path / "out", server) == 0
    assert {Path(name).suffix for name in files(tmp_path / "out")} == {".jpg", ".png"}


def test_who_asks_and_how_fast_come_from_a_config(tmp_path: Path, terms: Path, server: ApiServer) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[fetch]\ncontact = "by /u/somebody"\nhosts = { "127.0.0.1" = 0.0 }\n')
    assert collect(terms, tmp_path / "out", server, "--config", str(config)) == 0
    assert {asked.headers["User-Agent"] for asked in server.asked} == {f"eoltag/{__version__} (+by /u/somebody)"}


def test_commons_gives_two_images_at_a_time_at_most() -> None:
    found = [
        _within_policy(FetchSettings(concurrency=most), PROVIDERS["commons"].policy).concurrency for most in (1, 16)
    ]
    assert found == [1, 2]
    assert _within_policy(FetchSettings(), PROVIDERS["gbif"].policy).concurrency == FetchSettings().concurrency


def test_only_images_under_a_wanted_licence_are_fetched(tmp_path: Path, server: ApiServer) -> None:
    table = tmp_path / "terms.csv"
    table.write_text(HEADER + "Bellis perennis,20,daisy,train\n")
    for provider in ("inaturalist", "gbif", "openverse", "eol", "flickr"):
        out = tmp_path / provider
        assert collect(table, out, server, "--licenses", "cc0,CC-BY-SA", provider=provider) == 0
        assert {licence_code(row.licence) for row in kept(out)} == {"cc0", "by-sa"}


def test_a_licence_that_nothing_has_gives_no_image_and_says_so(
    tmp_path: Path, terms: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert collect(terms, tmp_path / "out", server, "--licenses", "by-nd") == 2
    assert error(capsys) == "error: commons: no image for any of Bellis perennis, Rosa canina"


def test_a_term_without_images_is_named_while_others_are_collected(
    tmp_path: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "terms.csv"
    table.write_text(HEADER + "nothing,5,ghost,train\ndaisy,2,daisy,train\n")
    assert collect(table, tmp_path / "out", server) == 0
    shown = capsys.readouterr()
    assert "nothing -> train/ghost: 0 of 5: none found" in shown.out
    assert "daisy -> train/daisy: 2 of 2\n" in shown.out
    assert "nothing: 5 images fewer than wanted; commons has no more" in shown.err


def test_a_bundle_of_eol_is_a_source_too(tmp_path: Path, server: ApiServer) -> None:
    bundle = tmp_path / "bundle.txt"
    bundle.write_text("".join(f"{server.base}/images/{number}.png\n" for number in range(5)))
    table = tmp_path / "terms.csv"
    table.write_text(HEADER + f"{bundle},4,any,train\n")
    assert collect(table, tmp_path / "out", server, provider="eol") == 0
    assert [row.source_url for row in kept(tmp_path / "out")] == [f"{server.base}/images/{n}.png" for n in range(4)]


@pytest.mark.parametrize(
    "table",
    [
        "search_term,number_imgs,category,set\ndaisy,2,daisy,train\ngerbera,1,daisy,train\n",
        "﻿Set, Category ,search_term,number_imgs\ntrain,daisy,daisy,2\nTRAIN,daisy,gerbera,1\n\n,,,\n",
        "search_term,number_imgs,folder_name,train_val,note\ndaisy,1,daisy,train,a\ndaisy,1,daisy,train,b\ngerbera,1,daisy,train,",
    ],
    ids=["category and set", "spaces, capitals, a byte order mark, empty lines", "more columns, a term twice"],
)
def test_tables_are_read_in_the_forms_that_people_have_them(table: str, tmp_path: Path, server: ApiServer) -> None:
    (tmp_path / "terms.csv").write_text(table, encoding="utf-8")
    assert collect(tmp_path / "terms.csv", tmp_path / "out", server) == 0
    assert len(files(tmp_path / "out")) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_term_with_an_accent_reaches_the_service_whole(encoding: str, tmp_path: Path, server: ApiServer) -> None:
    (tmp_path / "terms.csv").write_bytes((HEADER + "fleur d'été,1,été,train\n").encode(encoding))
    assert collect(tmp_path / "terms.csv", tmp_path / "out", server) == 0
    assert server.asked[0].query["gsrsearch"] == "fleur d'été filetype:bitmap"
    assert files(tmp_path / "out") == ["train/été/été_00001.png"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("term,number_imgs,folder_name,train_val\n", "there is no search_term. Received: term, number_imgs,"),
        ("search_term,number_imgs,set\n", "there is no folder_name or category"),
        ("", "Received: no header"),
        (HEADER, "Received: only the header"),
        (
            HEADER + "daisy,2,daisy,train\ndaisy,many,daisy,train\n",
            "line 3: number_imgs: wanted 1 to 1000000. Received: 'many'",
        ),
        (HEADER + "daisy,0,daisy,train\n", "line 2: number_imgs"),
        (HEADER + "daisy,2,../daisy,train\n", "line 2: wanted a folder name"),
        (HEADER + "daisy,2,,train\n", "line 2: wanted a folder name"),
        (HEADER + ",2,daisy,train\n", "line 2: wanted a search term"),
        (HEADER + "daisy,2,daisy,half\n", "line 2: wanted one of train, val, test. Received: 'half'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_naming_file_and_line(
    table: str, message: str, tmp_path: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "terms.csv").write_text(table)
    assert collect(tmp_path / "terms.csv", tmp_path / "out", server) == 2
    line = error(capsys)
    assert f"{tmp_path / 'terms.csv'}" in line
    assert message in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--provider", "bing"],
            "--provider: wanted one of commons, inaturalist, gbif, openverse, eol, flickr, google, reddit",
        ),
        (["--licenses", "cc0,gpl"], "--licenses: unknown licence 'gpl'; known: cc0, pdm, by, by-sa"),
        (["--provider", "reddit", "--licenses", "by"], "reddit states no licences"),
        (["--base-url", "ftp://mirror"], "--base-url: wanted an http or https URL. Received: 'ftp://mirror'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    terms: Path,
    server: ApiServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert collect(terms, tmp_path / "out", server, *arguments) == 2
    assert message in error(capsys)
    assert not server.asked


@pytest.mark.parametrize(
    ("provider", "needed"), [("google", "GOOGLE_API_KEY and GOOGLE_CX"), ("reddit", "REDDIT_CLIENT_ID and")]
)
def test_missing_credentials_are_named(
    provider: str,
    needed: str,
    tmp_path: Path,
    terms: Path,
    server: ApiServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GOOGLE_CX")
    monkeypatch.setenv("REDDIT_CLIENT_SECRET", "")
    assert collect(terms, tmp_path / "out", server, provider=provider) == 2
    line = error(capsys)
    assert f"{provider}: wanted {needed}" in line
    assert line.endswith("missing: GOOGLE_CX" if provider == "google" else "missing: REDDIT_CLIENT_SECRET")


def test_a_folder_with_other_files_is_left_alone(
    tmp_path: Path, terms: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    assert collect(terms, tmp_path / "out", server) == 2
    assert "holds other files already" in error(capsys)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("provider", ["google", "reddit", "openverse", "flickr"])
@pytest.mark.parametrize("is_refused", [False, True])
def test_credentials_appear_nowhere(
    provider: str,
    is_refused: bool,
    tmp_path: Path,
    terms: Path,
    server: ApiServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = [GOOGLE_KEY, GOOGLE_ENGINE, FLICKR_KEY, *CLIENT, TOKEN]
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", CLIENT[0])
    monkeypatch.setenv("OPENVERSE_CLIENT_SECRET", CLIENT[1])
    if is_refused:  # by a service that repeats all it was told
        paths = {"google": "/customsearch", "reddit": "/r/", "openverse": "/v1/images/", "flickr": "/services/rest/"}
        server.push_back(paths[provider], 403, {"error": {"message": "you sent " + " and ".join(secrets)}})
    assert collect(terms, tmp_path / "out", server, provider=provider) == (2 if is_refused else 0)
    shown = capsys.readouterr()
    said = shown.out + shown.err
    if is_refused:
        assert "HTTP 403, you sent" in said
        own = {"google": [GOOGLE_KEY, GOOGLE_ENGINE], "flickr": [FLICKR_KEY]}
        secrets = own.get(provider, [*CLIENT, TOKEN])
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for secret in secrets:
        assert secret not in said
        assert secret.encode() not in written


def test_images_on_private_addresses_are_not_fetched_unless_that_is_allowed(
    tmp_path: Path, terms: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["collect", str(terms), "--provider", "openverse", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--base-url", server.base]) == 2
    assert "blocked_host" in error(capsys)
    assert server.count("/images/") == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CC BY-SA 4.0", "by-sa"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "by-nc"),
        ("http://creativecommons.org/licenses/by/4.0/legalcode", "by"),
        ("CC_BY_NC_4_0", "by-nc"),
        ("cc-by-nc-nd", "by-nc-nd"),
        ("CC BY 2.5 br", "by"),
        ("CC0_1_0", "cc0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm"),
        ("Public domain", "pdm"),
        ("GFDL", None),
        ("all rights reserved", None),
        ("by-products", None),
        ("cc-by-sa-nc", None),
        ("", None),
        (None, None),
    ],
)
def test_licences_are_understood_however_they_are_written(text: str | None, code: str | None) -> None:
    assert licence_code(text) == code


def test_every_licence_is_its_own_code() -> None:
    assert {code: licence_code(code) for code in CODES} == {code: code for code in CODES}
    assert set(LICENCES) < set(CODES)


def test_a_quota_is_kept_over_runs_and_its_end_says_when_to_go_on(
    tmp_path: Path, terms: Path, server: ApiServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(PROVIDERS["openverse"], policy=Policy(0, quotas=(Quota(3, "requests", 86_400),)))
    monkeypatch.setitem(PROVIDERS, "openverse", few)
    assert collect(terms, tmp_path / "out", server, provider="openverse") == 0
    assert server.count("/v1/images") == 2
    assert collect(terms, tmp_path / "other", server, provider="openverse") == 2
    line = error(capsys)
    assert server.count("/v1/images") == 3
    assert "openverse: its 3 requests in 24 h are used up; there is room again at 20" in line
    assert line.endswith(f"9 images are in {tmp_path / 'other'}, the same command goes on from there")


def test_two_runs_into_one_folder_do_not_meet(
    tmp_path: Path, terms: Path, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with closing(Collection(out)):
        assert collect(terms, out, server) == 2
        assert error(capsys) == f"error: --out {out}: another collect is at work there; wait for it to end"
        assert (server.asked, files(out)) == ([], [])
    assert collect(terms, out, server) == 0
    assert len(files(out)) == 13


def test_what_was_collected_goes_through_dedupe_and_prepare_into_fit(
    tmp_path: Path, terms: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    terms.write_text(HEADER + "Bellis perennis,9,daisy,train\nRosa canina,9,rose,train\n")
    assert collect(terms, Path("photos"), server) == 0
    copy = tmp_path / "photos" / "train" / "daisy" / "daisy_turned.png"
    with Image.open(tmp_path / "photos" / "train" / "daisy" / "daisy_00001.png") as image:
        image.quantize(250).transpose(Image.Transpose.ROTATE_90).save(copy)
    assert main(["dedupe", "photos", "--out", "unique", "--copy"]) == 0
    prepared = ["--out", "data", "--size", "32", "--split", "0.6,0.2,0.2"]
    assert main(["prepare", "folder", "unique/images/train", *prepared]) == 0
    rows = [row for row in read_manifest(tmp_path / "data" / "manifest.parquet") if row.is_kept]
    assert Counter(row.label for row in rows) == {"daisy": 9, "rose": 9}
    assert Counter(row.split for row in rows) == {"train": 10, "val": 4, "test": 4}
    found = {(row.source_url, row.page, row.licence, row.author) for row in kept(tmp_path / "photos")}
    assert {(row.source_url, row.page, row.licence, row.author) for row in rows} == found
    config = tmp_path / "quick.toml"
    config.write_text("image_size_px = 32\nepochs = 1\nfirst_filters = 2\nbatch_size = 8\n")
    capsys.readouterr()
    assert main(["fit", str(config), "--data", "data/images/train", "--out", "package", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == ["daisy", "rose"]
