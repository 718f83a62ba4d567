"""Which images a folder or a manifest holds, what they show and which split they are in: one reading for all verbs."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.images.files import visible_files, visible_folders
from train.images.manifest import FILE_NAME, IMAGES, read_manifest
from train.records import ImageSet, LabelledImage, ManifestRow, Split

WANTED: Final = f"wanted one folder of images per label, train, val and test with those inside, or a {FILE_NAME}"


def list_images(data: Path, labels: Collection[str] = ()) -> ImageSet:
    """The images of a folder of classes, of a split folder (see Split.named) or of a manifest.

    A folder holds what lies in it; a manifest there tells more of its files. Rows alone count where the manifest itself
    is named, or lies in a folder without classes. labels: names that are classes even where they could be splits.
    Raises DataError where there are no classes, or where splits and classes lie side by side.
    """
    if not data.exists():
        raise DataError(f"{data}: {WANTED}. Received: no such folder")
    manifest = data / FILE_NAME if data.is_dir() else data
    rows = _kept_rows(manifest) if manifest.is_file() else {}
    root = images_folder(data)
    folders = list(_class_folders(root, labels)) if root.is_dir() else []
    if not folders and not rows:
        raise DataError(f"{data}: {WANTED}. Received: no folders")
    images = _from_folders(data, folders, rows) if folders else _from_rows(manifest.parent, rows)
    found = {label for _, label, _ in folders} or {row.label for row in rows.values()}
    return ImageSet(data, tuple(sorted(found)), tuple(sorted(images, key=_order)))


def images_folder(data: Path) -> Path:
    """The folder that holds the classes: `images` in what another verb made, with its reports beside; else `data`."""
    return data / IMAGES if (data / FILE_NAME).is_file() and (data / IMAGES).is_dir() else data


def _kept_rows(manifest: Path) -> dict[Path, ManifestRow]:
    return {manifest.parent / row.path: row for row in read_manifest(manifest) if row.is_kept and row.path is not None}


def _class_folders(root: Path, labels: Collection[str]) -> Iterator[tuple[Path, str, Split | None]]:
    """Folder, label and split of each folder of images; a folder called `train` beside classes may be a class too."""
    tops = visible_folders(root)
    splits = {top: split for top in tops if top.name not in labels and (split := Split.named(top.name))}
    if len(splits) < len(tops):
        if any(visible_folders(top) for top in splits):
            names = ", ".join(top.name for top in tops)
            raise DataError(
                f"{root}: wanted folders of classes, or train, val and test with those inside. Received both: {names}"
            )
        splits = {}
    if not splits:
        yield from ((top, top.name, None) for top in tops)
    for top, split in splits.items():
        yield from ((folder, folder.name, split) for folder in visible_folders(top))


def _from_folders(
    data: Path, folders: Iterable[tuple[Path, str, Split | None]], rows: dict[Path, ManifestRow]
) -> Iterator[LabelledImage]:
    for folder, label, split in folders:
        for path in visible_files(folder):
            row = rows.get(path)
            shown = path.relative_to(data).as_posix()
            yield LabelledImage(
                path, shown, label, (row.split if row else None) or split, row, is_judged=_is_judged(row)
            )


def _from_rows(folder: Path, rows: dict[Path, ManifestRow]) -> Iterator[LabelledImage]:
    for path, row in rows.items():
        yield LabelledImage(
            path, path.relative_to(folder).as_posix(), row.label, row.split, row, is_judged=_is_judged(row)
        )


def _is_judged(row: ManifestRow | None) -> bool:
    return row is not None and row.judged_by is not None


def _order(image: LabelledImage) -> tuple[str, str, list[str]]:
    return image.split or "", image.label, image.shown.split("/")
