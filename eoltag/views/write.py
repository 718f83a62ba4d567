"""Writes the views of an output directory on any file system that pyarrow reads."""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pyarrow import fs

from eoltag.errors import OutputError
from eoltag.model.record import ModelRecord
from eoltag.views.dialects import DIALECTS
from eoltag.views.sql import FACTS, Contents, views

Names = Callable[[str], list[str]]
"""Names in a folder below the root, none where there is no such folder."""
Read = Callable[[str], str]
"""The text of a file below the root."""


_HADOOPS_S3: Final = re.compile(r"^s3[an]://")
"""How Hadoop spells an address of S3; DuckDB takes it too, pyarrow does not."""


def file_name(dialect: str) -> str:
    """The file that holds the views in this dialect."""
    return f"views.{dialect}.sql"


def view_files(root: str, names: Names, read: Read) -> dict[str, str]:
    """Name -> text of the files of views for what lies below `root`. Raises ValueError for a broken model record."""
    tables = frozenset(name for name in (*FACTS, "tags") if names(name))
    scored = {folder.removeprefix("model_version=") for folder in names("scores")}
    records = [ModelRecord.from_json(read(f"models/{name}")) for name in names("models") if name.endswith(".json")]
    measures = [folder.removeprefix("name=") for folder in names("measures") if folder.startswith("name=")]
    models = tuple(record for record in records if record.model_version in scored)
    contents = Contents(root, tables, models, tuple(measures), has_runs=bool(names("runs")))
    return {file_name(dialect.name): views(contents, dialect) for dialect in DIALECTS}


def write_views(output: str, target: Path | None = None) -> list[str]:
    """Write the files of views of an output directory there, or into a local folder; returns their paths.

    Raises OutputError.
    """
    root = output if "://" in output else str(Path(output).absolute())
    try:
        system, path = fs.FileSystem.from_uri(_HADOOPS_S3.sub("s3://", root))
        found = view_files(root.rstrip("/"), _names(system, path), _read(system, path))
    except (OSError, ValueError) as problem:
        raise OutputError(f"{output}: no views can be made of it ({problem})") from problem
    if not found or not _names(system, path)("images"):
        raise OutputError(f"{output}: holds no images table; wanted the --output directory of jobs/tag_bundles.py")
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
        system, path = fs.LocalFileSystem(), str(target.absolute())
    for name, text in found.items():
        with system.open_output_stream(posixpath.join(path, name)) as stream:
            stream.write(text.encode())
    return [posixpath.join(path, name) for name in found]


_MOST_BYTES: Final = 1 << 20


def _names(system: fs.FileSystem, path: str) -> Names:
    def names(folder: str) -> list[str]:
        infos = system.get_file_info(fs.FileSelector(posixpath.join(path, folder), allow_not_found=True))
        return sorted(info.base_name for info in infos if not info.base_name.startswith(("_", ".")))

    return names


def _read(system: fs.FileSystem, path: str) -> Read:
    def read(name: str) -> str:
        with system.open_input_stream(posixpath.join(path, name)) as stream:
            return bytes(stream.read(_MOST_BYTES)).decode()

    return read
