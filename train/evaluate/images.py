"""Images whose label is known: a folder of classes, a split of such a folder, or what a manifest lists."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.images.manifest import FILE_NAME, ManifestRow, read_manifest

SPLITS: Final = ("train", "val", "validation", "test")
"""Folders as `prepare` names them, and as others do."""
HELD_BACK: Final = "validation"
"""As --split: what the package records as held back from its training, in whatever folder."""
EVERYTHING: Final = "all"
_PREFERRED: Final = ("test", "val", "validation", "train")
"""Without --split the images that are least known to a model."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One file and what it shows."""

    path: Path
    shown: str
    """Relative to the data folder."""
    target: int
    """Index of its label in the package's card."""
    split: str | None = None
    source_url: str | None = None
    width: int | None = None
    """Of what the file was made from, where a manifest tells; else None."""
    height: int | None = None
    color_mode: str | None = None


@dataclass(frozen=True, slots=True)
class ImageSet:
    """All images that were found."""

    data: Path
    split: str | None
    """The folder or part of the manifest that was taken; None where there are none."""
    images: tuple[LabelledImage, ...]
    missing: tuple[str, ...]
    """Labels of the package without a single image."""
    notes: tuple[str, ...]


def find_images(data: Path, labels: Sequence[str], split: str | None) -> ImageSet:
    """The images of `data`, sorted by path.

    split: train, val or test where `data` has such parts (default: the first of test, val, train that is there);
    all or validation: every part. Raises DataError for an unknown split, classes that are no labels, or no images.
    """
    manifest = data / FILE_NAME if data.is_dir() else data
    if manifest.is_file():
        found, parts, taken = _from_manifest(manifest, labels, split)
    elif data.is_dir():
        found, parts, taken = _from_folder(data, labels, split)
    else:
        raise DataError(f"{data}: wanted a folder of classes or a {FILE_NAME}. Received: no such folder")
    part = ", ".join(taken) or None
    if not found:
        raise DataError(f"{data}: no images{f' in the split {part}' if part else ''}")
    counts = Counter(image.target for image in found)
    missing = tuple(label for target, label in enumerate(labels) if not counts[target])
    notes = []
    if split is None and len(parts) > 1:
        notes.append(f"took the split '{part}' of {', '.join(sorted(parts))}; --split takes another")
    if missing:
        notes.append(f"no images of {', '.join(missing)}: nothing is known of how well they are recognised")
    return ImageSet(data, part, tuple(found), missing, tuple(notes))


_Found = tuple[list[LabelledImage], set[str], list[str]]
"""Images, the parts that there are, the parts that were taken."""


def _from_manifest(manifest: Path, labels: Sequence[str], split: str | None) -> _Found:
    kept = [row for row in read_manifest(manifest) if row.is_kept]
    parts = {row.split for row in kept if row.split}
    taken = _choose(manifest, parts, split)
    rows = [row for row in kept if not taken or row.split in taken]
    _check_labels(manifest, {row.label for row in rows}, labels, "classes")
    images = [_listed(manifest.parent, row, labels.index(row.label)) for row in rows]
    return sorted(images, key=lambda image: image.shown), parts, taken


def _listed(root: Path, row: ManifestRow, target: int) -> LabelledImage:
    shown = str(row.path)
    return LabelledImage(root / shown, shown, target, row.split, row.source_url, row.width, row.height, row.color_mode)


def _from_folder(data: Path, labels: Sequence[str], split: str | None) -> _Found:
    folders = _folders(data)
    parts = set(folders) if folders and set(folders) <= set(SPLITS) - set(labels) else set()
    taken = _choose(data, parts, split)
    images = []
    for part in (*taken,) or (None,):
        root = data / part if part else data
        classes = _folders(root)
        if not classes:
            raise DataError(f"{root}: wanted one folder of images per label. Received: no folders")
        _check_labels(root, set(classes), labels, "folders")
        images += [
            LabelledImage(path, path.relative_to(data).as_posix(), labels.index(label), part)
            for label in classes
            for path in sorted(_visible_files(root / label))
        ]
    return images, parts, taken


def _choose(data: Path, parts: set[str], split: str | None) -> list[str]:
    """The parts to take; empty where there are none."""
    if split in (HELD_BACK, EVERYTHING):
        return sorted(parts)
    if split is None:
        return [part for part in (*_PREFERRED, *sorted(parts)) if part in parts][:1]
    if split not in parts:
        raise DataError(f"{data}: no split '{split}'; there: {', '.join(sorted(parts)) or 'none, it is not split'}")
    return [split]


def _check_labels(data: Path, found: set[str], labels: Sequence[str], kind: str) -> None:
    strangers = sorted(found - set(labels))
    if strangers:
        raise DataError(
            f"{data}: {kind} that are no labels of the package: {', '.join(strangers)}; its labels: {', '.join(labels)}"
        )


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _visible_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
