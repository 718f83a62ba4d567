"""Examined images to named files in the folder of their split and class, and their rows in the manifest."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from train.data.splitting import Shares, split_groups
from train.images.manifest import IMAGES
from train.prepare.gather import Examined
from train.prepare.judged import inherited
from train.records import ManifestRow, Split
from train.similar.groups import groups_of

NO_CLASS: Final = "image"
"""How the names of images with several labels begin."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One image that was looked at, and its place in the set."""

    examined: Examined
    path: str | None
    """Relative to the set's folder; None where it was left out."""
    split: Split | None = None
    group: int = -1
    """Images of one group belong together."""
    file_sha256: str | None = None
    """Digest of the file in the set."""

    def row(self) -> ManifestRow:
        """What the manifest says of it."""
        candidate, finding = self.examined.candidate, self.examined.finding
        return ManifestRow(
            path=self.path,
            label=candidate.label,
            split=self.split,
            source_path=candidate.source_path,
            source_url=candidate.url,
            page=candidate.page,
            licence=candidate.licence,
            author=candidate.author,
            sha256=finding.sha256,
            perceptual_hash=finding.perceptual_hash,
            width=finding.width,
            height=finding.height,
            color_mode=finding.color_mode,
            outcome=str(finding.outcome),
            detail=finding.detail,
            stars=candidate.stars,
            ancestry=candidate.ancestry,
            file_sha256=self.file_sha256,
            judged_by=candidate.judged_by,
        )


def place_all(
    examined: Sequence[Examined], folder: Path, *, shares: Shares | None, seed: int, near_bits: int
) -> list[Placed]:
    """Every image in the order given; those that can be used are files below `folder` when this returns.

    shares: None leaves each in the split that its source had it in.
    """
    kept = [one for one in examined if one.is_usable]
    groups = _groups(kept, near_bits)
    labels = [one.candidate.strata for one in kept]
    splits: list[Split | None] = (
        [*split_groups(labels, groups, shares, seed)]
        if shares
        else inherited([one.candidate.split for one in kept], groups)
    )
    places = iter(zip(_paths(kept, splits), splits, groups, strict=True))
    placed = [Placed(one, *next(places)) if one.is_usable else Placed(one, None) for one in examined]
    return [one if one.path is None else _written(one, folder / one.path) for one in placed]


def copy_rejected(placed: Sequence[Placed], folder: Path) -> int:
    """Copies what was left out and is a file to folder/REASON/CLASS/NAME; returns how many."""
    copied = 0
    for number, one in enumerate(placed):
        candidate = one.examined.candidate
        if one.path is None and candidate.file is not None and candidate.file.is_file():
            target = folder / str(one.examined.finding.outcome) / candidate.label
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(candidate.file, target / f"{number:06d}_{candidate.file.name}")
            copied += 1
    return copied


def _groups(kept: Sequence[Examined], near_bits: int) -> list[int]:
    keys = [(one.finding.sha256, one.candidate.page) for one in kept]
    return groups_of([one.finding.fingerprint for one in kept], keys, near_bits)


def _paths(kept: Sequence[Examined], splits: Sequence[Split | None]) -> list[str]:
    """images/[SPLIT/]CLASS/CLASS_NNNNNN.SUFFIX, numbered within each class; of several labels without CLASS."""
    numbers: Counter[str] = Counter()
    paths = []
    for one, split in zip(kept, splits, strict=True):
        label = NO_CLASS if one.candidate.has_answers else one.candidate.label
        numbers[label] += 1
        folders = [IMAGES, *([split] if split else []), *([] if one.candidate.has_answers else [label])]
        paths.append("/".join([*folders, f"{label}_{numbers[label]:06d}.{one.finding.suffix}"]))
    return paths


def _written(placed: Placed, target: Path) -> Placed:
    """The same image, its file in its place."""
    finding, source = placed.examined.finding, placed.examined.candidate.file
    target.parent.mkdir(parents=True, exist_ok=True)
    if finding.made is not None:
        finding.made.replace(target)
    elif source is not None:
        shutil.copyfile(source, target)
    if finding.made is None and not placed.examined.candidate.is_copy:
        return replace(placed, file_sha256=finding.sha256)
    with target.open("rb") as stream:
        return replace(placed, file_sha256=hashlib.file_digest(stream, "sha256").hexdigest())
