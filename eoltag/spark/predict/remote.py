"""Bundles and model packages on file systems that only Spark reads, as copies on the driver's disk."""

import tempfile
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from eoltag.bundle.lists import PART_START, is_part_folder
from eoltag.errors import BundleError, PackageError
from eoltag.model.package import Package, read_package
from eoltag.spark.runtime.session import open_session
from eoltag.spark.tables.files import Files


def fetch_bundles(pattern: str, folder: Path) -> list[tuple[str, Path]]:
    """Copies of what a remote path or glob names, as local_files takes them. Raises BundleError."""
    files = Files(open_session("eoltag"))
    names_parts = pattern.rpartition("/")[2].startswith(PART_START)
    found: list[tuple[str, Path]] = []
    try:
        for parent, paths in groupby(files.matches(pattern), lambda path: path.rpartition("/")[0]):
            local = folder / f"remote-{len(list(folder.iterdir()))}"
            local.mkdir()
            copies = [(path, local / path.rpartition("/")[2]) for path in paths]
            for path, copy in copies:
                files.download(path, copy)
            found += [(parent, local)] if is_part_folder(local) and not names_parts else copies
    except OSError as problem:
        raise BundleError(f"{pattern}: cannot be read ({problem})") from problem
    if not found:
        raise BundleError(f"{pattern}: no such bundle")
    return found


def fetch_package(origin: str) -> Package:
    """The package at an address such as s3a://bucket/models/flowers, checked. Raises PackageError.

    A folder of attempts is copied whole. The copy stays as long as this process.
    """
    files = Files(open_session("eoltag"))
    local = Path(tempfile.mkdtemp(prefix="eoltag-")) / origin.rstrip("/").rpartition("/")[2]
    try:
        files.download(origin, local)
    except OSError as problem:
        raise PackageError(f"{origin}: cannot be read ({problem})") from problem
    try:
        return replace(read_package(local), origin=origin)
    except PackageError as problem:
        raise PackageError(str(problem).replace(str(local), origin.rstrip("/"))) from problem
