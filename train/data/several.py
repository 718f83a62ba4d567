"""Sets of images with several labels each: folders among which a file may stand in several, or a CSV of files, URLs."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from eoltag.errors import DataError, ImageError
from eoltag.records import JOINER
from eoltag.settings import FetchSettings
from train.cli import log
from train.data.label_table import LabelledName, LabelTable, merged, read_file_table
from train.images.answers import NOTHING
from train.images.decoding import decode_ahead, log_skipped
from train.images.downloads import DownloadFolder
from train.images.files import content_sha256
from train.images.listing import list_images
from train.images.sources import ImageSource
from train.records import ImageSet, LabelledImage

DOWNLOADS: Final = "_downloads"
"""Behind the name of a CSV: the folder with the images of its URLs."""

Part = tuple[str, LabelledImage]
"""The sha256 of an image file, and what one folder or line says of it."""


def list_several(data: Path, labels: Collection[str] = (), fetch: FetchSettings | None = None) -> ImageSet:
    """The images of a folder with one folder per label, or of a CSV; each content once, with all that is said of it.

    In folders an image shows the labels of all folders in which a file of its content stands, and no other. labels:
    see list_images. fetch: how the URLs of a CSV are fetched. Files that cannot be read are named and left out. Raises
    DataError.
    """
    if data.suffix.lower() == ".csv":
        return _from_table(read_file_table(data), fetch or FetchSettings())
    found = list_images(data, {*labels, NOTHING})
    known = tuple(label for label in found.labels if label != NOTHING)
    if len(known) < 2:
        raise DataError(
            f"{data}: wanted two folders of images or more, one per label. Received: {', '.join(known) or 'none'}"
        )
    by_content: defaultdict[str, list[LabelledImage]] = defaultdict(list)
    for content, image in _contents(found.images):
        by_content[content].append(image)
    images = tuple(_joined(data, same, known) for same in by_content.values())
    return replace(found, labels=known, images=images, notes=(_said(images),))


def _joined(data: Path, same: Sequence[LabelledImage], labels: Sequence[str]) -> LabelledImage:
    """The files of one content as one image. Raises DataError where they lie in two splits."""
    first = same[0]
    for other in same:
        if other.split != first.split:
            raise DataError(f"{data}: {first.shown} and {other.shown} are the same picture in two splits; wanted one")
    shown = {image.label for image in same} - {NOTHING}
    if shown and any(image.label == NOTHING for image in same):
        raise DataError(
            f"{data}: {first.shown} and {same[-1].shown} are the same picture, in '{NOTHING}' and in a label"
        )
    present = tuple(label for label in labels if label in shown)
    absent = tuple(label for label in labels if label not in shown)
    return replace(first, label=JOINER.join(present), present=present, absent=absent)


def _from_table(table: LabelTable, fetch: FetchSettings) -> ImageSet:
    places = _places(table, fetch)
    asked = [(row, places[row.name]) for row in table.rows if row.name in places]
    images = [LabelledImage(path, row.name, row.label, row.split) for row, path in asked]
    lines = {id(image): row for image, (row, _) in zip(images, asked, strict=True)}
    by_content: defaultdict[str, list[LabelledImage]] = defaultdict(list)
    for content, image in _contents(images):
        by_content[content].append(image)
    found = tuple(_of_lines(table, same[0], [lines[id(image)] for image in same]) for same in by_content.values())
    if not found:
        raise DataError(f"{table.path}: wanted images that can be read. Received: none of {len(table.rows):,} lines")
    return ImageSet(table.path, table.labels, found, (_said(found),))


def _of_lines(table: LabelTable, image: LabelledImage, lines: Sequence[LabelledName]) -> LabelledImage:
    one = merged(table.path, lines, image.shown)
    return replace(
        image, label=one.label, present=one.present, absent=one.absent, is_judged=one.is_judged, group=one.group
    )


def _places(table: LabelTable, fetch: FetchSettings) -> dict[str, Path]:
    """Name of an image -> its file; URLs are fetched into a folder beside the CSV, those that failed are left out."""
    names = dict.fromkeys(row.name for row in table.rows)
    urls = [name for name in names if ImageSource(name).is_url]
    places = {name: table.path.parent / name for name in names if not ImageSource(name).is_url}
    if urls:
        folder = DownloadFolder(table.path.with_name(table.path.stem + DOWNLOADS), fetch)
        failed = folder.fetch(urls)
        for url in urls:
            if url in failed:
                log_skipped(url, *failed[url])
            else:
                places[url] = folder.file(url)
    return places


def _contents(images: Sequence[LabelledImage]) -> Iterator[Part]:
    for image, digest in decode_ahead(images, lambda image: content_sha256(image.path), len(images), "reading"):
        if isinstance(digest, ImageError):
            log_skipped(image.path, digest.outcome, digest.detail)
        else:
            yield digest, image


def _said(images: Sequence[LabelledImage]) -> str:
    """A note on how many labels images have."""
    many = sum(len(image.present) > 1 for image in images)
    none = sum(not image.present for image in images)
    said = f"{len(images):,} images, {many:,} of them with two labels or more, {none:,} with none"
    log(said)
    return said
