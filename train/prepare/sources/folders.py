"""A folder of classes that is there already: one folder per class, or train/val/test with those inside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from eoltag.errors import DataError, ImageError
from train.images.decoding import decode_ahead
from train.images.files import content_sha256, visible_files
from train.images.listing import images_folder, list_images
from train.images.manifest import FILE_NAME, read_manifest
from train.prepare.sources.candidate import Candidate, Offer
from train.records import LabelledImage, ManifestRow

ABOVE: Final = 3
"""Folders above that are searched for a manifest: SET/images/train/CLASS may be named."""


def read_folder(folder: Path, manifests: Sequence[Path] = ()) -> Offer:
    """Every file of every class, with the split it lies in and, from a manifest, where it came from.

    A manifest in the folder or above it tells of its files by their place; it and `manifests` tell of all others by
    their content, however they were sorted and renamed since. Raises DataError where there is no class, or where splits
    and classes lie side by side.
    """
    files = visible_files(images_folder(folder))
    found = list_images(folder)
    if not found.images:
        raise DataError(f"{folder}: wanted one folder of images per class. Received: {len(files)} files, none in one")
    above = _manifest_above(folder)
    known = _by_place(above) if above else {}
    rows = {image.path: image.row or known.get(image.path.resolve()) for image in found.images}
    every = [*manifests, *([above] if above else []), *([folder / FILE_NAME] if _has_manifest(folder) else [])]
    again = _by_content([path for path, row in rows.items() if row is None], every)
    candidates = tuple(_candidate(image, rows[image.path] or again.get(image.path)) for image in found.images)
    return Offer(candidates, tuple(_notes(folder, files, found.images, again)))


def _notes(
    folder: Path, files: Sequence[Path], images: Sequence[LabelledImage], again: Mapping[Path, ManifestRow]
) -> list[str]:
    stray = sum(path.suffix != ".parquet" for path in set(files) - {image.path for image in images})
    notes = [f"{folder}: {stray} files lie in no class and were left out"] if stray else []
    if again:
        notes.append(f"{len(again)} images were known by their content, whatever they are called now")
    return notes


def _candidate(image: LabelledImage, row: ManifestRow | None) -> Candidate:
    return Candidate(
        image.label,
        image.label,
        image.path,
        image.shown,
        url=row.source_url if row else None,
        page=row.page if row else None,
        licence=row.licence if row else None,
        author=row.author if row else None,
        split=image.split,
        stars=row.stars if row else None,
        ancestry=row.ancestry if row else None,
    )


def _has_manifest(folder: Path) -> bool:
    return (folder / FILE_NAME).is_file()


def _manifest_above(folder: Path) -> Path | None:
    """The nearest manifest above."""
    return next((place / FILE_NAME for place in folder.resolve().parents[:ABOVE] if _has_manifest(place)), None)


def _by_place(manifest: Path) -> dict[Path, ManifestRow]:
    return {(manifest.parent / row.path).resolve(): row for row in read_manifest(manifest) if row.path}


def _by_content(paths: Sequence[Path], manifests: Sequence[Path]) -> dict[Path, ManifestRow]:
    """The row of each file that a manifest knows: as the file of the set, or as what came."""
    rows = {
        digest: row
        for manifest in manifests
        for row in read_manifest(manifest)
        for digest in (row.sha256, row.file_sha256)
        if digest
    }
    if not rows or not paths:
        return {}
    digests = decode_ahead(paths, content_sha256, len(paths), "looking for known images")
    known = ((path, rows.get(digest)) for path, digest in digests if not isinstance(digest, ImageError))
    return {path: row for path, row in known if row is not None}
