"""Numbered attempts: OUT/001, OUT/002, ...; each holds what a `fit` left, its model package in `package`."""

from pathlib import Path
from typing import Final

from eoltag.errors import PackageError
from eoltag.package import CARD_FILE, Package, read_package

PACKAGE_FOLDER: Final = "package"


def find_package(path: Path) -> Package:
    """The package at `path`: a package, an attempt, or a folder of attempts, whose newest finished one is meant.

    Raises PackageError.
    """
    if (path / CARD_FILE).is_file():
        return read_package(path)
    finished = [
        folder for folder in (path, *reversed(attempts(path))) if (folder / PACKAGE_FOLDER / CARD_FILE).is_file()
    ]
    if finished:
        return read_package(finished[0] / PACKAGE_FOLDER)
    if attempts(path):
        raise PackageError(f"{path}: none of its attempts is finished; go on with `python -m train fit --resume`")
    return read_package(path)


def attempts(out: Path) -> list[Path]:
    """The attempts below `out`, oldest first, finished or not."""
    if not out.is_dir():
        return []
    folders = (folder for folder in out.iterdir() if folder.is_dir() and folder.name.isdecimal())
    return sorted(folders, key=lambda folder: int(folder.name))
