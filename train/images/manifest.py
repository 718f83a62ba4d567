"""The record of an image set: one row for every image that was considered, kept or not, as one Parquet file.

The same rows give the same bytes. `path` is relative to the folder of the manifest, so that a set can be moved.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from eoltag.errors import DataError

FILE_NAME: Final = "manifest.parquet"
IMAGES: Final = "images"
"""Folder of the images, beside the manifest."""

SCHEMA: Final = pa.schema(
    [
        pa.field("path", pa.string()),
        pa.field("class", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("source_path", pa.string()),
        pa.field("source_url", pa.string()),
        pa.field("page", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("author", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("perceptual_hash", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("color_mode", pa.string()),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
    ]
)
"""In the order of the fields of ManifestRow, whose `label` is the column `class`."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One image: where it is, what it shows, where it came from, what became of it."""

    path: str | None
    """Of the image file, with `/`, relative to the manifest's folder; None where the image is not in the set."""
    label: str
    split: str | None = None
    """train, val or test; None where the set is not split."""
    source_path: str | None = None
    """Of the file it was made from, relative to the folder that was read."""
    source_url: str | None = None
    """Of the image itself."""
    page: str | None = None
    """The page, post or observation that the image is part of; its images never straddle splits."""
    licence: str | None = None
    author: str | None = None
    sha256: str | None = None
    """Of the bytes that came, before any conversion; hexadecimal."""
    perceptual_hash: str | None = None
    """16 hexadecimal digits, see eoltag.image.decode.difference_hash."""
    width: int | None = None
    """Of what came, upright, in pixels."""
    height: int | None = None
    color_mode: str | None = None
    """Of what came: RGB, L, CMYK, P, RGBA, ..."""
    outcome: str = "ok"
    """ok, an eoltag.records.Outcome, or one of train's own reasons such as too_small."""
    detail: str | None = None

    @property
    def is_kept(self) -> bool:
        """The image is part of the set."""
        return self.outcome == "ok" and self.path is not None

    @property
    def is_learned(self) -> bool:
        """The image is there to learn from: kept, and not held back for validation or test."""
        return self.is_kept and self.split in (None, "train")


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
    missing = [name for name in SCHEMA.names if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: wanted a manifest with the column '{missing[0]}'. Received: {table.column_names}")
    columns: list[list[Any]] = [table.column(name).to_pylist() for name in SCHEMA.names]
    return [ManifestRow(*values) for values in zip(*columns, strict=True)]


def _values(row: ManifestRow) -> list[object]:
    """The row's values; bytes of a file name that are no UTF-8 are spelled out, since Parquet holds nothing else."""
    values = (getattr(row, name) for name in ManifestRow.__slots__)
    return [value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value for value in values]
