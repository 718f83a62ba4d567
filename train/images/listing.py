"""Which files a folder of classes holds, and whether it is split already."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from eoltag.errors import DataError
from train.images.manifest import FILE_NAME

SplitName = Literal["train", "validation"]

SPLITS: Final[dict[str, SplitName | None]] = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "test": None,
}
"""Folder name -> what its images are for; those of `test` are not looked at."""
IMAGES: Final = "images"


@dataclass(frozen=True, slots=True)
class Listed:
    """One file that may be an image."""

    path: Path
    """Relative to the data folder."""
    target: int
    split: SplitName | None
    """Where the folder has put it; None where it is not split."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a data folder."""

    folder: Path
    labels: tuple[str, ...]
    """Sorted folder names."""
    files: tuple[Listed, ...]
    """By split, label and path."""


def list_images(folder: Path) -> Listing:
    """One folder per label, either in `folder` or in its folders train, val and test, as `prepare` writes them.

    Raises DataError where there are fewer than two labels, or one without files.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder (wanted one folder of images per label in it)")
    if (folder / FILE_NAME).is_file() and (folder / IMAGES).is_dir():
        folder = folder / IMAGES
    parts = _parts(folder)
    labels = sorted({label for part in parts for label in _folders(part)})
    if len(labels) < 2:
        raise DataError(f"{folder}: wanted two folders of images or more, one per label. Received: {labels or 'none'}")
    files = tuple(
        Listed(path, target, split)
        for part, split in parts.items()
        for target, label in enumerate(labels)
        for path in sorted(_visible_files(part / label, folder))
    )
    for part, split in parts.items():
        for target, label in enumerate(labels):
            if not any(file.target == target and file.split == split for file in files):
                raise DataError(f"{part / label}: wanted images of '{label}'. Received: none")
    return Listing(folder, tuple(labels), files)


def _parts(folder: Path) -> dict[Path, SplitName | None]:
    """The folders that hold the folders of labels, and what they are for."""
    names = _folders(folder)
    if "train" not in names or len(names) < 2 or not set(names) <= set(SPLITS):
        return {folder: None}
    return {folder / name: split for name, split in SPLITS.items() if name in names and split is not None}


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _visible_files(folder: Path, root: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        relative = path.relative_to(root)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield relative
