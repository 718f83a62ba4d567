"""A folder of classes that is there already: one folder per class, or train/val/test with those inside."""

from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.images.manifest import FILE_NAME, IMAGES, ManifestRow, read_manifest
from train.prepare.sources.candidate import Candidate, Offer, visible_files

SPLIT_NAMES: Final = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""What folders are called that hold a split."""

ABOVE: Final = 3
"""Folders above that are searched for a manifest: SET/images/train/CLASS may be named."""


def read_folder(folder: Path) -> Offer:
    """Every file of every class, with the split it lies in and, from a manifest there, where it came from.

    Raises DataError where there is no class, or where splits and classes lie side by side.
    """
    if (folder / FILE_NAME).is_file() and (folder / IMAGES).is_dir():
        folder = folder / IMAGES  # a set that another verb made, with its downloads and reports beside
    files = visible_files(folder)
    known = _known(folder)
    tops = {path.relative_to(folder).parts[0] for path in files if path.parent != folder}
    splits = {name for name in tops if name.lower() in SPLIT_NAMES}
    if splits and splits != tops:
        raise DataError(
            f"{folder}: wanted folders of classes, or train, val and test with those inside. "
            f"Received both: {', '.join(sorted(tops))}"
        )
    depth = 2 if splits else 1
    candidates = tuple(
        _candidate(path, folder, depth, known) for path in files if len(path.relative_to(folder).parts) > depth
    )
    if not candidates:
        raise DataError(f"{folder}: wanted one folder of images per class. Received: {len(files)} files, none in one")
    stray = sum(1 for path in files if len(path.relative_to(folder).parts) <= depth and path.suffix != ".parquet")
    notes = (f"{folder}: {stray} files lie in no class and were left out",) if stray else ()
    return Offer(candidates, notes)


def _candidate(path: Path, folder: Path, depth: int, known: dict[Path, ManifestRow]) -> Candidate:
    relative = path.relative_to(folder)
    label = relative.parts[depth - 1]
    row = known.get(path.resolve())
    return Candidate(
        label,
        label,
        path,
        relative.as_posix(),
        url=row.source_url if row else None,
        page=row.page if row else None,
        licence=row.licence if row else None,
        author=row.author if row else None,
        split=SPLIT_NAMES[relative.parts[0].lower()] if depth == 2 else None,
    )


def _known(folder: Path) -> dict[Path, ManifestRow]:
    """Rows of the manifest that the folder or one above it holds, by file."""
    for place in (folder, *folder.resolve().parents[:ABOVE]):
        if (place / FILE_NAME).is_file():
            return {(place / row.path).resolve(): row for row in read_manifest(place / FILE_NAME) if row.path}
    return {}
