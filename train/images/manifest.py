"""The record of an image set: one row for every image that was considered, kept or not, as one Parquet file.

The same rows give the same bytes. `path` is relative to the folder of the manifest, so that a set can be moved.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from eoltag.errors import DataError
from train.records import ManifestRow, Split

FILE_NAME: Final = "manifest.parquet"
IMAGES: Final = "images"
"""Folder of the images, beside the manifest."""

_NUMBERS: Final = ("width", "height", "stars")
SCHEMA: Final = pa.schema(
    pa.field(
        "class" if name == "label" else name,
        pa.int32() if name in _NUMBERS else pa.string(),
        nullable=name not in ("label", "outcome"),
    )
    for name in ManifestRow.__slots__
)
"""The fields of ManifestRow, whose `label` is the column `class`."""

LATER: Final = ("stars", "ancestry", "file_sha256", "judged_by")
"""Columns that manifests of before lack."""


def write_manifest(path: Path, rows: Iterable[ManifestRow]) -> None:
    """The rows, in the order given; the file appears whole or not at all. Raises DataError."""
    columns = list(zip(*map(_values, rows), strict=True)) or [()] * len(SCHEMA)
    table = pa.table([pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], SCHEMA)
    part = path.with_name(path.name + ".part")
    try:
        pq.write_table(table, part, compression="zstd")
        part.replace(path)
    except OSError as problem:
        raise DataError(f"{path}: cannot be written ({problem.strerror or problem})") from problem
    finally:
        part.unlink(missing_ok=True)


def read_manifest(path: Path) -> list[ManifestRow]:
    """The rows, in the order of the file. Raises DataError where it is no manifest."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise DataError(f"{path}: cannot be read as a manifest ({reason})") from problem
    missing = [name for name in SCHEMA.names if name not in (*table.column_names, *LATER)]
    if missing:
        raise DataError(f"{path}: wanted a manifest with the column '{missing[0]}'. Received: {table.column_names}")
    columns: dict[str, list[Any]] = {
        name: table.column(name).to_pylist() if name in table.column_names else [None] * len(table)
        for name in SCHEMA.names
    }
    columns["split"] = [_split(path, name) for name in columns["split"]]
    return [ManifestRow(*values) for values in zip(*columns.values(), strict=True)]


def _split(path: Path, name: str | None) -> Split | None:
    split = Split.named(name) if name else None
    if name and split is None:
        raise DataError(f"{path}: column 'split': wanted one of {', '.join(Split)}. Received: {name!r}")
    return split


def _values(row: ManifestRow) -> list[object]:
    """The row's values; bytes of a file name that are no UTF-8 are spelled out, since Parquet holds nothing else."""
    values = (getattr(row, name) for name in ManifestRow.__slots__)
    return [value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value for value in values]
