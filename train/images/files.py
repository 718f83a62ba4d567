"""Image files on this machine."""

import hashlib
import os
from pathlib import Path
from typing import Final

from eoltag.errors import DataError, Forbidden, Gone

SUFFIXES: Final = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "MPO": ("jpg", "jpeg", "mpo"),
    "PNG": ("png", "apng"),
    "GIF": ("gif",),
    "WEBP": ("webp",),
    "TIFF": ("tif", "tiff"),
    "BMP": ("bmp", "dib"),
}
"""File name suffixes of each format, the usual one first."""


def read_image_file(path: Path) -> bytes:
    """The file's bytes. Raises Gone where there is none, Forbidden where it may not be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise Gone("no such file") from problem
    except OSError as problem:
        raise Forbidden(f"cannot be read ({problem.strerror})") from problem


def content_sha256(path: Path) -> str:
    """The sha256 of the file's bytes, in hex digits. Raises Gone, Forbidden."""
    return hashlib.sha256(read_image_file(path)).hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """A file that appears whole or not at all, with the folders that lead to it. Raises DataError."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written ({problem.strerror or problem})") from problem


def visible_files(folder: Path) -> list[Path]:
    """Every file at any depth, sorted; hidden ones and those in hidden folders are left out.

    Raises DataError where there is no folder, or a name that tables and cards could not hold.
    """
    if not folder.is_dir():
        came = "a file" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: wanted a folder of images. Received: {came}")
    found = sorted(
        path
        for path in folder.rglob("*")
        if not any(_is_hidden(part) for part in path.relative_to(folder).parts) and path.is_file()
    )
    for path in found:
        require_text(path)
    return found


def visible_folders(folder: Path) -> list[Path]:
    """The folders right below, sorted by name; hidden ones are left out."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path.name))


def require_text(path: Path) -> None:
    """Raises DataError where the name of a file is no UTF-8: it could be read, and written down nowhere."""
    try:
        str(path).encode()
    except UnicodeEncodeError as problem:
        raise DataError(
            f"{os.fsencode(path)!r}: wanted a file name in UTF-8; rename the file (convmv does so for whole folders)"
        ) from problem


def _is_hidden(name: str) -> bool:
    """Also the folder that macOS puts beside the others in a zip."""
    return name.startswith(".") or name == "__MACOSX"
