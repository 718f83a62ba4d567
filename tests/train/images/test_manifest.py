"""The manifest: what is written comes back, the same rows are the same bytes, and strangers are refused in one line."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eoltag.errors import DataError
from train.images.manifest import FILE_NAME, SCHEMA, read_manifest, write_manifest
from train.records import ManifestRow, Split

ROWS = [
    ManifestRow("images/train/map/map_000001.jpg", "map", Split.TRAIN, "a.jpg", width=3, height=4, color_mode="RGB"),
    ManifestRow(None, "map", source_url="https://eol.org/b.jpg", licence="cc-by", outcome="gone", detail="404"),
]


def test_rows_come_back_as_they_were_written_in_their_order(tmp_path: Path) -> None:
    write_manifest(tmp_path / FILE_NAME, ROWS)
    assert read_manifest(tmp_path / FILE_NAME) == ROWS
    assert pq.read_table(tmp_path / FILE_NAME).column("class").to_pylist() == ["map", "map"]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_manifest(tmp_path / name, ROWS)
    write_manifest(tmp_path / "three", ROWS[::-1])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes() != (tmp_path / "three").read_bytes()


def test_a_manifest_without_rows_has_its_columns_all_the_same(tmp_path: Path) -> None:
    write_manifest(tmp_path / FILE_NAME, [])
    assert pq.read_schema(tmp_path / FILE_NAME).names == SCHEMA.names
    assert read_manifest(tmp_path / FILE_NAME) == []


def test_only_kept_images_outside_validation_and_test_are_learned_from() -> None:
    splits = {split: ManifestRow("x", "map", split).is_learned for split in (None, *Split)}
    assert splits == {None: True, "train": True, "val": False, "test": False}
    assert not ManifestRow(None, "map", Split.TRAIN).is_learned
    assert not ManifestRow("x", "map", Split.TRAIN, outcome="truncated").is_learned


def test_a_file_that_is_no_manifest_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no parquet")
    pq.write_table(pa.table({"path": ["x"]}), tmp_path / "other")
    with pytest.raises(DataError, match=r"text: cannot be read as a manifest"):
        read_manifest(tmp_path / "text")
    with pytest.raises(DataError, match=r"other: wanted a manifest with the column 'class'"):
        read_manifest(tmp_path / "other")
    with pytest.raises(DataError, match=r"nowhere: cannot be read"):
        read_manifest(tmp_path / "nowhere")


def test_file_names_that_are_no_utf_8_are_spelled_out(tmp_path: Path) -> None:
    write_manifest(
        tmp_path / FILE_NAME, [ManifestRow(None, "map", source_path="map/caf\udce9.jpg", outcome="not_image")]
    )
    assert read_manifest(tmp_path / FILE_NAME)[0].source_path == "map/caf\\udce9.jpg"
