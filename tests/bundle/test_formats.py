"""Parquet and JSON lines are bundles too, a folder of part files is one, and a new format is one entry."""

import gzip
import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eoltag.bundle.formats import registry
from eoltag.bundle.formats.content import BundleFormat, Sample, Tally
from eoltag.bundle.lists import Bundle, is_part_folder, open_bundles
from eoltag.bundle.staging import local_files, stage
from eoltag.errors import BundleError
from eoltag.records import ImageRef
from eoltag.settings import FetchSettings

FLOWER = "https://content.eol.org/data/media/80/19/a6/542.4888050484.jpg"
MOTH = "https://content.eol.org/data/media/85/d9/ff/7.CalPhotos_0508_1735.jpg"


def opened(path: Path) -> Bundle:
    [bundle] = open_bundles(path, path.name)
    return bundle


def parquet(path: Path, **columns: Any) -> Path:
    """A Parquet file of these columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def json_lines(path: Path, *records: object) -> Path:
    """A file with a record a line."""
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        list(open_bundles(path, "my list")[0].rows(further=("rights",)))
    message = str(caught.value)
    assert message.startswith("my list")
    assert len(message.splitlines()) == 1
    return message


# --- Parquet ----------------------------------------------------------------------------------------------------------


def test_a_parquet_file_gives_its_columns_by_name_and_numbers_as_texts(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "moths.parquet",
        Identifier=[7, None],
        sciname=pa.array(["Poa", "Sphinx"]).dictionary_encode(),
        eolMediaURL=[f" {FLOWER} ", None],
        seen=[date(2024, 5, 1), None],
        ancestry=["Life|Plantae", ""],
    )
    bundle = opened(path)
    assert (bundle.name, bundle.format, bundle.notes) == ("moths", "parquet", ())
    assert bundle.columns == ("eolMediaURL", "Identifier", "ancestry")
    assert list(bundle.rows(further=("SciName", "seen", "absent"))) == [
        ImageRef(1, FLOWER, "7", None, "Life|Plantae", ("Poa", "2024-05-01", None)),
        ImageRef(2, None, None, None, None, ("Sphinx", None, None)),
    ]
    assert list(pickle.loads(pickle.dumps(bundle)).rows()) == list(bundle.rows())


def test_identifier_of_a_parquet_file_is_its_url_where_it_holds_urls(tmp_path: Path) -> None:
    bundle = opened(parquet(tmp_path / "x", identifier=[FLOWER, None, MOTH], uuid=[1, 2, 3]))
    assert [row.url for row in bundle.rows()] == [FLOWER, None, MOTH]
    assert bundle.notes == ("column identifier is taken for the image URL, since its values are URLs",)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"picture": [FLOWER]}, "came the columns 'picture'"),
        ({"identifier": ["a", "b"]}, "came the columns 'identifier'; identifier holds 'a'"),
        ({"url": [1, 2]}, "my list: column url: wanted URLs as texts; came int64"),
        ({"url": pa.array([], pa.string())}, "my list: wanted rows below the header; came none"),
        (
            {"url": [FLOWER], "rights": [["a", "b"]]},
            "my list: rows 1 to 1, column rights: wanted texts or numbers; came",
        ),
        (
            {"url": [FLOWER], "rights": [b"\xff\xfe"]},
            "my list: rows 1 to 1, column rights: wanted texts or numbers; came",
        ),
    ],
)
def test_a_parquet_file_that_is_no_list_says_which_column_is_wrong(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    assert message in refusal(parquet(tmp_path / "x", **columns))


def test_a_text_that_is_no_utf8_is_refused_in_one_line(tmp_path: Path) -> None:
    """Found by the guided fuzzer: pyarrow checks texts of Parquet files only when they become Python's."""
    ends, letters = pa.py_buffer(b"\0\0\0\0\x08\0\0\0"), pa.py_buffer(b"http://\xfe")
    broken = pa.StringArray.from_buffers(1, ends, letters)
    assert "rows 1 to 1, column url: wanted texts or numbers; came string" in refusal(
        parquet(tmp_path / "x", url=broken)
    )


def test_a_broken_or_zipped_parquet_file_is_refused(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "x", url=[FLOWER]).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-7])
    assert refusal(tmp_path / "cut").startswith("my list: cannot be read (")
    (tmp_path / "packed").write_bytes(gzip.compress(whole))
    assert refusal(tmp_path / "packed").endswith("came a Parquet file, which is read as it is, not inside an archive")


# --- JSON lines -------------------------------------------------------------------------------------------------------


def test_json_lines_give_their_keys_whichever_objects_have_them(tmp_path: Path) -> None:
    path = json_lines(
        tmp_path / "moths.jsonl",
        {"identifier": 7, "image_url": f" {FLOWER}"},
        {"image_url": None, "rights": ["CC-BY", "é"], "ancestry": "Life|Plantae"},
        {"image_url": MOTH, "rights": True, "dataObjectVersionID": "3", "note": "half \ud83c"},
    )
    path.write_bytes(gzip.compress(path.read_bytes().replace(b"\n", b"\n\n", 1)))
    bundle, tally = opened(path), Tally()
    assert (bundle.name, bundle.format, bundle.notes) == ("moths", "jsonl", ())
    assert bundle.columns == ("image_url", "identifier", "dataObjectVersionID", "ancestry")
    assert list(bundle.rows(tally, ("RIGHTS", "note", "absent"))) == [
        ImageRef(1, FLOWER, "7", None, None, (None, None, None)),
        ImageRef(2, None, None, None, "Life|Plantae", ('["CC-BY", "é"]', None, None)),
        ImageRef(3, MOTH, None, "3", None, ("true", "half \ufffd\ufffd\ufffd", None)),
    ]
    assert tally.skipped == 1
    assert list(pickle.loads(pickle.dumps(bundle)).rows()) == list(bundle.rows())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"url": "http://x/a.jpg"}\n{"url": oops}\n',
            "my list: line 2 is no JSON: Expecting value, in '{\"url\": oops}'",
        ),
        ('{"url": "http://x/a.jpg"}\n\n[1]\n', "my list: line 3: wanted a JSON object; came '[1]'"),
        ('{"url": "http://x/a.jpg"}\n{"url": 7}\n', "my list: row 2, column url: wanted a URL as text; came '7'"),
        ('{"picture": "http://x/a.jpg"}\n', "came the columns 'picture'"),
        ('[{"url": "http://x/a.jpg"}]\n', "my list: wanted JSON lines, an object a line; came a JSON array"),
        ("{\n", "my list: line 1 is no JSON: "),
        ('{"url": ' + "[" * 100_000 + "\n", "my list: line 1 is no JSON: nested too deeply"),
    ],
)
def test_json_lines_that_are_broken_name_the_line_or_the_row_and_its_column(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "x"
    path.write_text(text, encoding="utf-8")
    assert message in refusal(path)


# --- further columns of text formats ----------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", "\t"])
def test_further_columns_of_a_table_are_given_beside_its_own(tmp_path: Path, separator: str) -> None:
    rows = [["sciname", "url", "Rights"], ["Poa", FLOWER, "CC-BY"], ["", MOTH]]
    path = tmp_path / "x"
    path.write_text("".join(f"{separator.join(row)}\n" for row in rows), encoding="utf-8")
    assert list(opened(path).rows(further=("rights", "absent", "sciname"))) == [
        ImageRef(1, FLOWER, further=("CC-BY", None, "Poa")),
        ImageRef(2, MOTH, further=(None, None, None)),
    ]


# --- folders of part files --------------------------------------------------------------------------------------------


def test_a_folder_that_spark_wrote_is_one_bundle_whose_rows_follow_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "images.parquet"
    parquet(folder / "part-00001-abc.parquet", url=[MOTH, FLOWER])
    parquet(folder / "part-00000-abc.parquet", url=[FLOWER])
    parquet(folder / "part-00002-abc.parquet", url=pa.array([], pa.string()))
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000-abc.parquet.crc").write_bytes(b"crc\0")
    files = local_files([str(folder), str(tmp_path / "*.parquet")], tmp_path, FetchSettings(), None)
    assert files == [(str(folder), folder)]
    staged = stage(files, tmp_path / "rows")
    assert (staged.bundles, staged.rows) == (["images"], 3)
    rows = pq.ParquetFile(staged.path("images")).read(["eolMediaURL", "bundle_row"]).to_pydict()
    assert rows == {"eolMediaURL": [FLOWER, MOTH, FLOWER], "bundle_row": [1, 2, 3]}


def test_part_files_of_a_text_format_are_one_bundle_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for number, text in enumerate((f"{FLOWER}\n", "", f"{MOTH}\n")):
        (folder / f"part-{number:05}.txt").write_text(text, encoding="utf-8")
    bundle = opened(folder)
    assert (bundle.name, bundle.format) == ("out", "list")
    assert list(bundle.rows()) == [ImageRef(1, FLOWER), ImageRef(2, MOTH)]


def test_a_folder_of_lists_stays_a_folder_of_bundles(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", url=[FLOWER])
    parquet(tmp_path / "b.parquet", url=[MOTH])
    assert not is_part_folder(tmp_path)
    assert len(local_files([str(tmp_path)], tmp_path, FetchSettings(), None)) == 2


def test_a_folder_of_mixed_or_empty_part_files_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "part-0", url=[FLOWER])
    json_lines(tmp_path / "part-1", {"url": MOTH})
    assert refusal(tmp_path) == "my list: wanted a folder of part files in one format; came parquet and jsonl"
    for part in ("part-0", "part-1"):
        (tmp_path / part).write_bytes(b"")
    assert refusal(tmp_path) == "my list: wanted a folder of part files in one format; came empty files only"


def test_a_broken_part_is_named(tmp_path: Path) -> None:
    json_lines(tmp_path / "part-0", {"url": FLOWER})
    (tmp_path / "part-1").write_text('{"url": "http://x/a.jpg"}\n{}}\n', encoding="utf-8")
    assert refusal(tmp_path) == "my list/part-1: line 2 is no JSON: Extra data, in '{}}'"


# --- a new format -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gopher:
    """Menus of a gopher server: type and title, selector, host, port; an image is of type I or g."""

    lines: tuple[str, ...]
    columns: tuple[str, ...] = ("title",)
    used: tuple[str, ...] = ()
    notes: tuple[str, ...] = ("a gopher menu",)

    def rows(self, further: Sequence[str], tally: Tally) -> Iterator[ImageRef]:
        """A row for each image."""
        row = 0
        for line in self.lines:
            title, selector, host, _ = line.split("\t")
            if title[0] in "Ig":
                row += 1
                yield ImageRef(row, f"http://{host}{selector}", further=tuple(title[1:] for _ in further))
            else:
                tally.skipped += 1


def test_a_new_format_is_one_entry_in_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def recognise(sample: Sample) -> Gopher | None:
        text = sample.text
        return Gopher((text.first, *text.following)) if text.first.endswith("\t70\n") else None

    monkeypatch.setattr(registry, "FORMATS", [BundleFormat("gopher", recognise), *registry.FORMATS])
    path = tmp_path / "menu"
    path.write_text("1Birds\t/birds\teol.org\t70\nIOwl\t/owl.png\teol.org\t70\n", encoding="utf-8")
    bundle, tally = opened(path), Tally()
    assert (bundle.format, bundle.notes) == ("gopher", ("a gopher menu",))
    assert list(bundle.rows(tally, ("title",))) == [ImageRef(1, "http://eol.org/owl.png", further=("Owl",))]
    assert tally.skipped == 1
    plain = tmp_path / "list.txt"
    plain.write_text(f"{FLOWER}\n", encoding="utf-8")
    assert opened(plain).format == "list"
