"""--bundle arguments to staged rows."""

import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from eoltag.bundle.staging import ROWS, for_the_record, local_files, stage
from eoltag.bundle.taking import Taking
from eoltag.errors import BundleError
from eoltag.settings import FetchSettings
from tests.support.loopback import Loopback


def written(path: Path, *urls: str) -> Path:
    """A download list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
    return path


def found(*arguments: str, folder: Path) -> list[str]:
    """File names that the arguments lead to."""
    return [path.name for _, path in local_files(list(arguments), folder, FetchSettings(), None)]


def test_files_directories_globs_and_ranges_are_found_once_each(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        written(tmp_path / f"lists/b_{number:06}.txt", "https://eol.org/x.jpg")
    written(tmp_path / "lists/.hidden", "x")
    everything = ["b_000001.txt", "b_000002.txt", "b_000003.txt"]
    lists = str(tmp_path / "lists")
    assert found(lists, folder=tmp_path) == everything
    assert found(f"{lists}/*.txt", folder=tmp_path) == everything
    assert found(f"{lists}/b_{{000002..000003}}.txt", folder=tmp_path) == everything[1:]
    assert found(f"{lists}/b_000001.txt", lists, f"file://{lists}/b_000002.txt", folder=tmp_path) == everything


@pytest.mark.parametrize("argument", ["no/such.txt", "no/such/*.txt", "b_{1..2}.txt"])
def test_a_bundle_that_is_not_there_is_named(tmp_path: Path, argument: str) -> None:
    with pytest.raises(BundleError, match="no such bundle"):
        local_files([argument], tmp_path, FetchSettings(), None)


def test_an_empty_directory_and_a_remote_path_without_spark_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="an empty directory"):
        local_files([str(tmp_path / "empty")], tmp_path, FetchSettings(), None)
    with pytest.raises(BundleError, match="read by Spark only"):
        local_files(["s3a://bucket/list.txt"], tmp_path, FetchSettings(), None)


def test_a_bundle_is_downloaded_and_named_by_its_url(tmp_path: Path) -> None:
    written(tmp_path / "served/birds_download_000001.txt", "https://eol.org/a.jpg")
    with Loopback(tmp_path / "served") as server:
        files = local_files([server.url("birds_download_000001.txt")], tmp_path, FetchSettings(), None)
        assert stage(files, tmp_path / "rows").bundles == ["birds_download_000001"]
        with pytest.raises(BundleError, match="404"):
            local_files([server.url("/status/404/list.txt")], tmp_path, FetchSettings(), None)


def test_rows_are_staged_in_order_with_their_bundle_and_usability(tmp_path: Path) -> None:
    one = written(tmp_path / "one.txt", "https://eol.org/a.jpg", "# note", "", "nonsense")
    two = written(tmp_path / "two.txt", "https://eol.org/b.jpg")
    staged = stage([("one.txt", one), ("two.txt", two)], tmp_path / "rows")
    assert (staged.rows, staged.bad_rows, staged.skipped_lines, staged.bundles) == (3, 1, 2, ["one", "two"])
    names = ["bundle_row", "eolMediaURL", "is_usable"]
    tables = [pq.ParquetFile(staged.path(bundle)).read(names) for bundle in ("one", "two")]
    assert [list(row.values()) for row in tables[0].select(names).to_pylist()] == [
        [1, "https://eol.org/a.jpg", True],
        [2, "nonsense", False],
    ]
    assert [list(row.values()) for row in tables[1].select(names).to_pylist()] == [[1, "https://eol.org/b.jpg", True]]


def test_user_names_and_passwords_in_urls_are_left_out(tmp_path: Path) -> None:
    urls = [
        "https://me:secret@eol.org/a.jpg",
        "HTTP://secret@eol.org:8080/b@2.jpg",
        "ftp://me:sec@ret@eol.org/c.jpg",
        "http:/me:secret@eol.org/d.jpg",
        "https://eol.org/e.jpg?mail=me@secret.example",
    ]
    one = written(tmp_path / "one.csv", "url,identifier", *(f"{url},{url}" for url in urls))
    staged = stage([("one.csv", one)], tmp_path / "rows")
    table = pq.ParquetFile(staged.path("one")).read(["eolMediaURL", "identifier"])
    wanted = [
        "https://eol.org/a.jpg",
        "HTTP://eol.org:8080/b@2.jpg",
        "ftp://eol.org/c.jpg",
        "http:/eol.org/d.jpg",
        "https://eol.org/e.jpg?mail=me@secret.example",
    ]
    assert table["eolMediaURL"].to_pylist() == wanted == table["identifier"].to_pylist()
    assert staged.hosts == {"eol.org"}


def test_a_bundle_address_with_a_password_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        local_files(["https://me:secret@eol.org/list.txt"], tmp_path, FetchSettings(), None)
    assert str(caught.value) == (
        "https://eol.org/list.txt: wanted a URL without user name and password; came one with them"
    )
    assert for_the_record(["s3a://key:secret@bucket/a.txt", "a@b.txt"]) == ["s3a://bucket/a.txt", "a@b.txt"]


def test_a_limit_counts_over_all_bundles(tmp_path: Path) -> None:
    one = written(tmp_path / "one.txt", "https://eol.org/a.jpg", "https://eol.org/b.jpg")
    two = written(tmp_path / "two.txt", "https://eol.org/c.jpg", "https://eol.org/d.jpg")
    staged = stage([("one.txt", one), ("two.txt", two)], tmp_path / "rows", Taking(limit=3))
    tables = [pq.ParquetFile(staged.path(bundle)).read() for bundle in ("one", "two")]
    assert staged.rows == 3
    assert [url[-5:] for table in tables for url in table["eolMediaURL"].to_pylist()] == ["a.jpg", "b.jpg", "c.jpg"]
    whole = stage([("one.txt", one), ("two.txt", two)], tmp_path / "whole")
    assert staged.digests["one"] == whole.digests["one"]
    assert staged.digests["two"] != whole.digests["two"]


def test_a_range_counts_the_rows_of_each_bundle_which_keep_their_numbers(tmp_path: Path) -> None:
    one = written(tmp_path / "one.txt", *(f"https://eol.org/{number}.jpg" for number in range(1, 6)))
    two = written(tmp_path / "two.txt", *(f"https://eol.org/{number}.png" for number in range(1, 3)))
    files = [("one.txt", one), ("two.txt", two)]
    staged = stage(files, tmp_path / "rows", Taking(first_row=2, last_row=3))
    rows = [pq.ParquetFile(staged.path(bundle)).read()["bundle_row"].to_pylist() for bundle in ("one", "two")]
    assert (rows, staged.rows) == ([[2, 3], [2]], 3)
    assert stage(files, tmp_path / "most", Taking(first_row=2, last_row=9, limit=2)).rows == 2
    with pytest.raises(BundleError, match="wanted rows from 6 on; came bundles that have fewer each"):
        stage(files, tmp_path / "none", Taking(first_row=6))


@pytest.mark.parametrize(
    "content",
    [
        "url,picture\nhttps://eol.org/page,https://eol.org/a.jpg\n",
        "url;Picture\nhttps://eol.org/page;https://eol.org/a.jpg\n",
        "taxon\tpicture\n1\thttps://eol.org/a.jpg\n",
        '{"url": "https://eol.org/page", "picture": "https://eol.org/a.jpg"}\n',
    ],
)
def test_the_user_may_say_which_column_holds_the_urls(tmp_path: Path, content: str) -> None:
    path = written(tmp_path / "table.csv", content.removesuffix("\n"))
    staged = stage([("table.csv", path)], tmp_path / "rows", Taking(url_column="picture"))
    assert pq.ParquetFile(staged.path("table")).read()["eolMediaURL"].to_pylist() == ["https://eol.org/a.jpg"]
    with pytest.raises(BundleError, match="wanted the URL column 'pictures'; came the columns "):
        stage([("table.csv", path)], tmp_path / "none", Taking(url_column="pictures"))


def test_a_workbook_and_a_picture_are_refused_with_the_way_to_go(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "table.csv", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 20)
    for name in ("table.csv", "old.xls"):
        with pytest.raises(BundleError, match=r"came an Excel workbook; save its sheet as CSV"):
            stage([(name, tmp_path / name)], tmp_path / "rows")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(BundleError, match="came a JPEG image; for pictures on this machine see"):
        stage([("a.jpg", tmp_path / "a.jpg")], tmp_path / "rows")


def test_further_columns_are_staged_as_texts_and_no_others(tmp_path: Path) -> None:
    table = written(tmp_path / "table.csv", "url,Rights,title", "https://eol.org/a.jpg,CC-BY,A moth")
    plain = written(tmp_path / "plain.txt", "https://eol.org/b.jpg", "https://eol.org/c.jpg")
    files = [("table.csv", table), ("plain.txt", plain)]
    staged = stage(files, tmp_path / "rows", further=["rights", "RIGHTS"])
    assert staged.further == ["rights"]
    assert staged.notes == ["no column 'rights' in plain.txt: its value is NULL there"]
    tables = [pq.ParquetFile(staged.path(bundle)).read() for bundle in ("table", "plain")]
    assert [rows["rights"].to_pylist() for rows in tables] == [["CC-BY"], [None, None]]
    assert tables[0].column_names == [*ROWS.names, "rights"]
    assert staged.digests["table"] != stage(files, tmp_path / "without").digests["table"]


def test_a_further_column_that_no_bundle_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    table = written(tmp_path / "table.csv", "url,title", "https://eol.org/a.jpg,A moth")
    plain = written(tmp_path / "plain.txt", "https://eol.org/b.jpg")
    wanted = "wanted the column 'rights', which --keep or a task's bundle_columns name; came"
    with pytest.raises(
        BundleError, match=f"^table.csv: {wanted} the columns 'url', 'title', nor has any other of the 2"
    ):
        stage([("plain.txt", plain), ("table.csv", table)], tmp_path / "rows", further=["rights"])
    with pytest.raises(BundleError, match=f"^plain.txt: {wanted} no columns, only URLs$"):
        stage([("plain.txt", plain)], tmp_path / "rows", further=["rights"])


def test_bundles_of_one_name_from_two_folders_keep_apart(tmp_path: Path) -> None:
    files = [
        (str(path), path)
        for path in (written(tmp_path / f"{name}/list.txt", "https://eol.org/a.jpg") for name in ("a", "b", "c"))
    ]
    assert stage(files, tmp_path / "rows").bundles == ["list", "b_list", "c_list"]


def test_the_hosts_of_a_list_are_known_but_not_without_end(tmp_path: Path) -> None:
    urls = [
        "https://Slow.org/a.jpg",
        "http://me@SLOW.org:80/b.jpg",
        "http://[::1]:8080/a.jpg",
        "https://eol.org?x",
        "no",
    ]
    staged = stage([("list.txt", written(tmp_path / "list.txt", *urls))], tmp_path / "rows")
    assert staged.hosts == {"slow.org", "[::1]", "eol.org"}
    many = written(tmp_path / "many.txt", *(f"https://{number}.org/a.jpg" for number in range(1000)))
    assert len(stage([("many.txt", many)], tmp_path / "rows").hosts) == 51


def test_a_folder_of_folders_of_pictures_is_refused_with_the_way_to_go(tmp_path: Path) -> None:
    (tmp_path / "photos" / "moths").mkdir(parents=True)
    (tmp_path / "photos" / "moths" / "a.bin").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    with pytest.raises(BundleError, match=r"came folders of pictures; .*classify PACKAGE FOLDER --output DIR"):
        local_files([str(tmp_path / "photos")], tmp_path, FetchSettings(), None)
    (tmp_path / "lists" / "june").mkdir(parents=True)
    (tmp_path / "lists" / "june" / "a.txt").write_text("https://eol.org/a.jpg\n")
    with pytest.raises(BundleError, match=r"came only folders, such as .*lists/june; name those that hold lists"):
        local_files([str(tmp_path / "lists")], tmp_path, FetchSettings(), None)
    (tmp_path / "bare").mkdir()
    with pytest.raises(BundleError, match="an empty directory; wanted bundle files in it"):
        local_files([str(tmp_path / "bare")], tmp_path, FetchSettings(), None)
