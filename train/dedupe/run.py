"""`dedupe`: which images of some folders are copies of others. Reads, lists, and copies on request; deletes nothing."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError
from eoltag.records import Outcome
from train.cli import progress
from train.dedupe.sheets import draw_sheets
from train.images.decoding import log_skipped
from train.images.manifest import FILE_NAME, read_manifest, write_manifest
from train.images.sources import ImageSource, find_sources
from train.records import ManifestRow, Split, Unreadable
from train.similar.fingerprints import FingerprintedImage, read_fingerprints
from train.similar.groups import DuplicateGroup, find_groups

KEEP_FILE: Final = "keep.txt"
REPORT_FILE: Final = "report.json"
KEPT_FOLDER: Final = "images"
DUPLICATE: Final = "duplicate"


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The images of some folders, and which of them are copies of others."""

    folders: tuple[Path, ...]
    images: tuple[FingerprintedImage, ...]
    unreadable: tuple[Unreadable, ...]
    groups: tuple[DuplicateGroup, ...]

    @property
    def copy_of(self) -> dict[Path, tuple[Path, int | None]]:
        """Every copy -> what is kept for it, and the distance."""
        return {copy.image.path: (group.kept.path, copy.distance) for group in self.groups for copy in group.copies}


def dedupe(folders: Sequence[Path], distance: int | None, out: Path | None, *, copy: bool = False) -> dict[str, Any]:
    """The report; with `out` also a manifest, a list of what to keep and contact sheets there. Raises DataError."""
    if out is not None:
        _check_out(folders, out)
    found = find_duplicates(folders, distance)
    report = _report(found, distance)
    if out is not None:
        _write(found, out, report, copy=copy)
    return report


def find_duplicates(folders: Sequence[Path], distance: int | None) -> Duplicates:
    """All images below the folders, and their groups."""
    missing = next((folder for folder in folders if not folder.is_dir()), None)
    if missing is not None:
        raise DataError(f"{missing}: not a folder (wanted folders of images)")
    sources = _different_files(find_sources([*map(str, folders)], ()))
    paths = [Path(source.path) for source in sources]
    hashed = progress(read_fingerprints(paths), len(paths), "image", "hashing")
    images, unreadable = [], []
    for source, result in zip(sources, hashed, strict=True):
        if isinstance(result, FingerprintedImage):
            images.append(result)
        elif not (source.is_found and result.outcome is Outcome.NOT_IMAGE):
            unreadable.append(result)
            log_skipped(result.path, result.outcome, result.detail)
    return Duplicates(tuple(folders), tuple(images), tuple(unreadable), tuple(find_groups(images, distance)))


def _different_files(sources: Sequence[ImageSource]) -> list[ImageSource]:
    """Each file once, however it is reached: a file is no copy of itself."""
    seen: dict[Path, ImageSource] = {}
    for source in sources:
        seen.setdefault(Path(source.path).resolve(), source)
    return list(seen.values())


def _check_out(folders: Sequence[Path], out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (out / REPORT_FILE).is_file():
        raise DataError(f"--out {out}: wanted a new or empty folder, or one that dedupe wrote")
    inside = next((folder for folder in folders if out.resolve().is_relative_to(folder.resolve())), None)
    if inside is not None:
        raise DataError(f"--out {out}: lies in {inside}, where the next run would take its pictures for images")


def _report(found: Duplicates, distance: int | None) -> dict[str, Any]:
    copies = [copy for group in found.groups for copy in group.copies]
    size = sum(image.bytes for image in found.images)
    return {
        "images": len(found.images),
        "kept": len(found.images) - len(copies),
        "duplicates": {
            "same_bytes": sum(copy.distance is None for copy in copies),
            "near": sum(copy.distance is not None for copy in copies),
        },
        "bytes": {"before": size, "after": size - sum(copy.image.bytes for copy in copies)},
        "distance": distance,
        "classes": _by_class(found),
        "groups_across_classes": _straddling(found, 0),
        "groups_across_splits": _straddling(found, 1),
        "groups": [[str(image.path) for image in group.members] for group in found.groups],
        "unreadable": [file.document() for file in found.unreadable],
    }


def _by_class(found: Duplicates) -> dict[str, dict[str, int]]:
    copies = found.copy_of
    before = Counter(place(image.path, found.folders)[0] for image in found.images)
    dropped = Counter(place(image.path, found.folders)[0] for image in found.images if image.path in copies)
    return {label: {"images": before[label], "kept": before[label] - dropped[label]} for label in sorted(before)}


def _straddling(found: Duplicates, part: int) -> int:
    """Groups whose images lie in different classes (part 0) or splits (part 1)."""
    return sum(len({place(image.path, found.folders)[part] for image in group.members}) > 1 for group in found.groups)


def place(path: Path, folders: Sequence[Path]) -> tuple[str, Split | None]:
    """Class and split that the file's folders stand for: FOLDER/[train/]CLASS/..., or FOLDER itself as the class."""
    root = next(folder for folder in folders if path.is_relative_to(folder))
    parts = [root.resolve().name, *path.relative_to(root).parts[:-1]]
    split = next(filter(None, map(Split.named, parts)), None)
    classes = [[part for part in some if Split.named(part) is None] for some in (parts[1:], parts)]
    labels = classes[0] or classes[1]
    return (labels[0] if labels else parts[0]), split


def _write(found: Duplicates, out: Path, report: dict[str, Any], *, copy: bool) -> None:
    copies = found.copy_of
    kept = [image.path for image in found.images if image.path not in copies]
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / KEEP_FILE).write_text("".join(f"{path}\n" for path in kept), encoding="utf-8")
        targets = {path: _target(path, found.folders, out, copy=copy) for path in kept}
        if copy:
            for path, target in progress(targets.items(), len(targets), "image", "copying"):
                (out / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, out / target)
        for old in out.glob("contact_sheet_*.jpg"):
            old.unlink()
        report["contact_sheets"] = [str(path) for path in draw_sheets(found.groups, out)]
        write_manifest(out / FILE_NAME, _rows(found, targets))
        (out / REPORT_FILE).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as problem:
        raise DataError(f"--out {out}: cannot be written ({problem.strerror or problem})") from problem


def _target(path: Path, folders: Sequence[Path], out: Path, *, copy: bool) -> str:
    """Path of a kept image relative to `out`: of its copy there, or of the file itself."""
    if not copy:
        return Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()
    at, root = next((at, folder) for at, folder in enumerate(folders, 1) if path.is_relative_to(folder))
    above = (KEPT_FOLDER,) if len(folders) == 1 else (KEPT_FOLDER, f"{at}_{root.resolve().name}")
    return Path(*above, path.relative_to(root)).as_posix()


def _rows(found: Duplicates, targets: dict[Path, str]) -> list[ManifestRow]:
    known = _known_rows(found.folders)
    copies = found.copy_of
    rows = []
    for image in found.images:
        row = replace(
            _row(image.path, found, known),
            path=targets.get(image.path),
            sha256=image.sha256,
            perceptual_hash=image.perceptual_hash,
            width=image.width,
            height=image.height,
            color_mode=image.color_mode,
        )
        if image.path in copies:
            original, distance = copies[image.path]
            how = "same bytes" if distance is None else f"distance {distance}"
            row = replace(row, outcome=DUPLICATE, detail=f"copy of {original} ({how})")
        rows.append(row)
    failed = [
        replace(_row(file.path, found, known), path=None, outcome=str(file.outcome), detail=file.detail)
        for file in found.unreadable
    ]
    return rows + failed


def _row(path: Path, found: Duplicates, known: dict[Path, ManifestRow]) -> ManifestRow:
    """What the folder's own manifest says of the file (its source, licence and author), else what its place says."""
    label, split = place(path, found.folders)
    root = next(folder for folder in found.folders if path.is_relative_to(folder))
    row = known.get(path.resolve(), ManifestRow(None, label, split))
    return replace(row, source_path=path.relative_to(root).as_posix())


def _known_rows(folders: Sequence[Path]) -> dict[Path, ManifestRow]:
    return {
        (folder / row.path).resolve(): row
        for folder in folders
        if (folder / FILE_NAME).is_file()
        for row in read_manifest(folder / FILE_NAME)
        if row.path is not None
    }
