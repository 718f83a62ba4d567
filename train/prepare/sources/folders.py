"""A folder of classes that is there already: one folder per class, or train/val/test with those inside."""

from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.images.files import visible_files
from train.images.listing import images_folder, list_images
from train.images.manifest import FILE_NAME, read_manifest
from train.prepare.sources.candidate import Candidate, Offer
from train.records import LabelledImage, ManifestRow

ABOVE: Final = 3
"""Folders above that are searched for a manifest: SET/images/train/CLASS may be named."""


def read_folder(folder: Path) -> Offer:
    """Every file of every class, with the split it lies in and, from a manifest there, where it came from.

    Raises DataError where there is no class, or where splits and classes lie side by side.
    """
    files = visible_files(images_folder(folder))
    found = list_images(folder)
    if not found.images:
        raise DataError(f"{folder}: wanted one folder of images per class. Received: {len(files)} files, none in one")
    known = _rows_above(folder)
    candidates = tuple(_candidate(image, image.row or known.get(image.path.resolve())) for image in found.images)
    stray = sum(path.suffix != ".parquet" for path in set(files) - {image.path for image in found.images})
    return Offer(candidates, (f"{folder}: {stray} files lie in no class and were left out",) if stray else ())


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
    )


def _rows_above(folder: Path) -> dict[Path, ManifestRow]:
    """Rows of the nearest manifest above, by file."""
    for place in folder.resolve().parents[:ABOVE]:
        if (place / FILE_NAME).is_file():
            return {(place / row.path).resolve(): row for row in read_manifest(place / FILE_NAME) if row.path}
    return {}
