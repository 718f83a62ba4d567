"""Kinds of lists that people have met elsewhere, each with what it should give."""

import io
import zipfile
from pathlib import Path

import pytest

from eoltag.bundle.lists import open_bundles
from eoltag.errors import BundleError

A, B, C = (f"https://content.eol.org/data/{number}.jpg" for number in range(3))


def urls(content: bytes, folder: Path) -> list[str | None]:
    """The URLs of all rows."""
    (folder / "list").write_bytes(content)
    return [row.url for bundle in open_bundles(folder / "list", "my list") for row in bundle.rows()]


@pytest.mark.parametrize(
    "content",
    [
        f"{A}\r{B}\r{C}\r",
        f"url\r{A}\r{B}\r{C}\r",
        f"url;label\r\n{A};x\r\n{B};y\r\n{C};z\r\n",
        f"sep=;\r\nlabel;url\r\nx;{A}\r\ny;{B}\r\nz;{C}\r\n",
        f'"url"\t"label"\n"{A}"\t"x"\n"{B}"\t"y"\n"{C}"\t"z"\n',
        f"url,label\n{A},{'x' * 140_000}\n{B},y\n{C},z\n",
        f"url\n{A}\n\ufeff{B}\n{C}\u200b\n",
        f"id,url\n#1,{A}\n#2,{B}\n3,{C}\n",
    ],
    ids=[
        "CR alone",
        "CR in a table",
        "Excel's semicolons",
        "Excel's sep=",
        "quoted TSV",
        "a long field",
        "marks",
        "#ids",
    ],
)
def test_a_list_as_programs_write_it_gives_its_urls(content: str, tmp_path: Path) -> None:
    assert urls(content.encode(), tmp_path) == [A, B, C]


@pytest.mark.parametrize("between", [",", " ", "\t", ";"], ids=["comma", "space", "tab", "semicolon"])
def test_urls_with_labels_beside_them_and_no_header_are_not_taken_for_urls(between: str, tmp_path: Path) -> None:
    content = "".join(f"{url}{between}flower\n" for url in (A, B, C)).encode()
    with pytest.raises(BundleError) as told:
        urls(content, tmp_path)
    assert str(told.value).startswith("my list: ")
    assert "a URL and another field in every line" in str(told.value) or "URL among other fields" in str(told.value)


def test_commas_inside_urls_stay(tmp_path: Path) -> None:
    wanted = [f"{A}?crop=2669,1999,x0,y0&width=80", f"{B}?a,b"]
    assert urls("\n".join(wanted).encode(), tmp_path) == wanted


def test_one_byte_of_another_encoding_spoils_no_other_row(tmp_path: Path) -> None:
    accented = "https://eol.org/caf\xe9.jpg"
    content = f"{accented}\n".encode() + f"{accented}\n".encode("latin1")
    assert urls(content, tmp_path) == [accented, accented]


def test_a_darwin_core_archive_gives_its_images_and_leaves_its_other_texts_out_with_notes(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("meta.xml", "<?xml version='1.0'?><archive/>")
        archive.writestr("rights.txt", "Dataset: x\n")
        archive.writestr("occurrence.txt", "gbifID\tscientificName\n1\tBellis\n")
        archive.writestr("multimedia.txt", f"gbifID\tidentifier\n1\t{A}\n2\t{B}\n")
    (tmp_path / "list").write_bytes(buffer.getvalue())
    [bundle] = open_bundles(tmp_path / "list", "my list")
    assert [row.url for row in bundle.rows()] == [A, B]
    left_out = [note.split("'")[1] for note in bundle.notes if "was left out" in note]
    assert sorted(left_out) == ["meta.xml", "occurrence.txt", "rights.txt"]


def test_a_nul_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="it holds a NUL in line 3"):
        urls(f"url,label\n{A},x\n{B},\0\n".encode(), tmp_path)
