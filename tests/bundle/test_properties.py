"""Whatever a list holds comes back row for row; whatever a file holds, nothing but a BundleError is raised."""

import codecs
import csv
import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from eoltag.bundle.lists import open_bundles
from eoltag.bundle.names import bundle_name, expand_ranges
from eoltag.errors import BadUrl, BundleError
from eoltag.fetch.urls import check_url, is_usable
from eoltag.records import ImageRef

URL = "https://content.eol.org/data/media/80/19/a6/542.4888050484.jpg"
ODD = "\r\n\t\"',;# \x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\xa0\xe9\u4e2d\U0001f33c|{}"
"""Quotes, and what str.splitlines takes for line ends, among ordinary text."""

MARKS = (
    b"",
    b"PK\x03\x04",
    b"\x1f\x8b\x08\x00",
    codecs.BOM_UTF8,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    b"\xff\xd8",
)


unhurried = settings(deadline=None)
"""A busy machine fails no test."""

Row = tuple[str, str, str, str]
"""identifier, URL, version, ancestry"""


def texts(without: str) -> st.SearchStrategy[str]:
    """Text as files hold it: no NUL and no lone surrogates."""
    everything = st.characters(exclude_characters=without + "\0", exclude_categories=["Cs"])
    odd = [character for character in ODD if character not in without]
    return st.text(st.one_of(st.sampled_from(odd), st.sampled_from("abc019./"), everything), max_size=12)


fields = texts(without="\t\n")
rows_of_fields = st.lists(st.tuples(fields, fields, fields, fields), min_size=1, max_size=8)
list_lines = st.builds("http://{}".format, texts(without="\t\n"))


def read(content: bytes) -> list[ImageRef]:
    """All rows of all bundles in a file of this content."""
    return list(_read(content))


def _read(content: bytes) -> Iterator[ImageRef]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        path.write_bytes(content)
        for bundle in open_bundles(path, "a list"):
            yield from bundle.rows()


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("list.txt", content)
    return buffer.getvalue()


def in_windows_1252(row: Row) -> Row:
    first, second, third, fourth = (cell.encode("cp1252", "replace").decode("cp1252") for cell in row)
    return first, second, third, fourth


def refs(rows: list[Row]) -> list[ImageRef]:
    return [
        ImageRef(number, url.strip() or None, identifier or None, version or None, ancestry or None)
        for number, (identifier, url, version, ancestry) in enumerate(rows, 1)
    ]


@unhurried
@given(rows_of_fields, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]), st.sampled_from(["\n", "\r\n"]))
@example([('"', "\u2028", "\x85", '"'), ("", "", "", "")], "utf-8", "\n")
@example([("\x85", "\xff", '"', "\x85\x1c")], "cp1252", "\n")
def test_any_breakdown_comes_back_row_for_row(rows: list[Row], encoding: str, line_end: str) -> None:
    assume(not any(row[0].startswith("#") or row[3].endswith("\r") for row in rows))
    if encoding == "cp1252":  # the last row makes sure that it is not UTF-8 by chance
        rows = [*map(in_windows_1252, rows), ("a", "b", "c", "\xff")]
    lines = ["identifier\teolMediaURL\tdataObjectVersionID\tancestry", *("\t".join(row) for row in rows)]
    assume(encoding != "cp1252" or not re.search(rb"[\xc2-\xf4][\x80-\xbf]", "\n".join(lines).encode("cp1252")))
    assert read((line_end.join(lines) + line_end).encode(encoding)) == refs(rows)


@unhurried
@given(
    st.lists(list_lines, min_size=1, max_size=8),
    st.sampled_from(["plain", "gzip", "zip"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\n\n# a comment\n"]),
    st.booleans(),
)
@example(["http://a\rb", "http://c"], "plain", "utf-8", "\n", True)
def test_any_list_comes_back_however_it_is_packed(
    lines: list[str], packing: str, encoding: str, line_end: str, ends_open: bool
) -> None:
    text = line_end.join(lines) + ("" if ends_open else line_end)
    assume("\n" in text or "\r" not in text)  # in a list without the one the other ends lines
    content = text.encode(encoding)
    packed = {"plain": content, "gzip": gzip.compress(content), "zip": zipped(content)}[packing]
    assert read(packed) == [ImageRef(number, line.strip()) for number, line in enumerate(lines, 1)]


csv_fields = texts(without="")
csv_rows = st.lists(st.tuples(csv_fields, csv_fields, csv_fields, csv_fields), min_size=1, max_size=8)


@unhurried
@given(csv_rows, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_any_csv_comes_back_row_for_row(rows: list[Row], quoting: int) -> None:
    assume(quoting == csv.QUOTE_ALL or not any(row[0].startswith("#") for row in rows))
    file = io.StringIO()
    writer = csv.writer(file, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["identifier", "image_url", "dataObjectVersionID", "ancestry"])
    writer.writerows(rows)
    assert read(file.getvalue().encode()) == refs(rows)


@unhurried
@given(st.lists(texts(without="").filter(lambda url: not url.startswith("#")), min_size=1, max_size=8))
def test_any_csv_of_one_column_comes_back_row_for_row(urls: list[str]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["url"], *([url] for url in urls)])
    assert read(file.getvalue().encode()) == [
        ImageRef(number, url.strip() or None) for number, url in enumerate(urls, 1)
    ]


@unhurried
@given(csv_rows, st.data())
def test_a_csv_cut_anywhere_loses_only_what_is_cut_or_is_refused(rows: list[Row], data: st.DataObject) -> None:
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(["identifier", "image_url", "dataObjectVersionID", "ancestry"])
    writer.writerows(rows)
    text = file.getvalue()
    kept = text[: data.draw(st.integers(0, len(text)))]
    try:
        came = read(kept.encode())
    except BundleError:
        return
    assert came[:-1] == refs(rows)[: len(came) - 1]


@unhurried
@given(st.sampled_from(MARKS), st.binary(max_size=400))
def test_arbitrary_bytes_raise_nothing_but_a_bundle_error(mark: bytes, content: bytes) -> None:
    _reads_or_refuses(mark + content)


@unhurried
@given(st.text(st.sampled_from('htp:/url,\t\n\r"#<identifier \xe9\u2028'), max_size=60), st.booleans())
@example('"' + "x" * 140_000, False)
@example("url\nab\rcd\n", False)
def test_arbitrary_text_raises_nothing_but_a_bundle_error(text: str, is_latin1: bool) -> None:
    _reads_or_refuses(text.encode("latin-1" if is_latin1 else "utf-8", "replace"))


@unhurried
@given(st.sampled_from(["gzip", "zip"]), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6))
def test_a_damaged_archive_raises_nothing_but_a_bundle_error(packing: str, changes: list[tuple[int, int]]) -> None:
    text = f"{URL}\n".encode() * 20
    content = bytearray(gzip.compress(text) if packing == "gzip" else zipped(text))
    for place, value in changes:
        content[place % len(content)] = value
    _reads_or_refuses(bytes(content))


def _reads_or_refuses(content: bytes) -> None:
    refusal = ""
    try:
        rows = read(content)
    except BundleError as problem:
        refusal, rows = str(problem), []
    assert bool(rows) != refusal.startswith("a list")
    assert len(refusal.splitlines()) <= 1
    assert [row.bundle_row for row in rows] == [*range(1, len(rows) + 1)]


any_text = st.text(st.characters(codec=None))
near_urls = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "HTTPS", "ftp"]),
    st.one_of(any_text, st.sampled_from(["eol.org", "[::1]", "b\xfccher.de", "eol.org:80", "a@eol.org", "\u3002"])),
    st.sampled_from(["", "/", "/ ", "?", "#", ":", "%", "\\"]),
    any_text,
)


@unhurried
@given(st.one_of(any_text, near_urls))
@example("http://[::1]evil.org/")
@example("http://\u2100.com/")
@example("http://[v1.x]/")
def test_any_text_is_a_plain_url_or_a_bad_url(text: str) -> None:
    if not is_usable(text):
        with pytest.raises(BadUrl) as caught:
            check_url(text)
        assert len(caught.value.detail.splitlines()) == 1
        return
    url = check_url(text)
    assert url.startswith(("http://", "https://"))
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url
    assert check_url(url) == url


@unhurried
@given(st.from_regex(r"https?://[a-z0-9]{1,9}(\.[a-z0-9-]{1,9}){0,5}(/[A-Za-z0-9._~-]{0,9}){0,4}", fullmatch=True))
def test_an_ordinary_url_comes_back_as_it_is(url: str) -> None:
    assert check_url(url) == url
    assert check_url(url + "?a=b%20c") == url + "?a=b%20c"


@unhurried
@given(st.text())
def test_any_origin_gives_a_name_that_is_one_plain_file_name(origin: str) -> None:
    name = bundle_name(origin)
    assert 0 < len(name) <= 200
    assert name.isascii()
    assert Path(name).name == name
    assert bundle_name(f"http://host/{origin}") != ""


@unhurried
@given(st.integers(0, 10**9), st.integers(0, 50), st.integers(1, 12))
def test_a_range_gives_each_of_its_numbers_once_with_its_zeros(first: int, more: int, width: int) -> None:
    numbers = [f"{number:0{width}d}" for number in range(first, first + more + 1)]
    assume(len({len(number) for number in numbers}) == 1)
    assert expand_ranges(f"a_{{{numbers[0]}..{numbers[-1]}}}.txt") == [f"a_{number}.txt" for number in numbers]
