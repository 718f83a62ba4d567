"""Judgements as a table of labels, which `fit --features --labels` takes: no picture is needed, seconds are enough."""

import csv
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError
from eoltag.judgements.record import Agreed
from eoltag.records import JOINER
from train.data.label_table import LabelledName, merged, read_file_table, read_label_table
from train.data.splitting import Shares, split_groups
from train.data.stored_features import perceptual_hashes
from train.images.sources import ImageSource
from train.prepare.sources.candidate import Candidate, Offer
from train.prepare.sources.judgements import JudgedImages, judged_images, write_copies
from train.records import Split, strata_of
from train.similar.fingerprints import Fingerprint, FingerprintedImage, read_fingerprints
from train.similar.groups import groups_of

NO_LABEL: Final = "none"
"""What stands for the label of an image that shows none."""


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A table of labels that was written."""

    path: Path
    images: int
    """Images that people have judged."""
    judged: dict[str, int]
    """Label -> those of them that show it."""
    others: int
    """Images of another table that nobody has judged."""
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "labels": str(self.path),
            "images": self.images,
            "judged": self.judged,
            "others": self.others,
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """For a person."""
        counted = ", ".join(f"{label} {images:,}" for label, images in self.judged.items())
        first = f"{self.path}: {self.images:,} judged images ({counted}), {self.others:,} others"
        return "\n".join([first, *(f"note: {note}" for note in self.notes)])


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A line of a table of labels: an image, and what is known of several labels."""

    name: str
    present: tuple[str, ...]
    absent: tuple[str, ...]
    is_judged: bool
    group: str = ""
    split: Split | None = None
    label: str | None = None
    """The one label of an image with one."""

    @property
    def strata(self) -> tuple[str, ...]:
        """What a split divides evenly; see strata_of."""
        return strata_of(self.label or "", self.present, self.absent)


def write_label_file(
    output: Path, task: str, classes: Mapping[str, str], also: Path | None, path: Path, shares: Shares | None,
    seed: int, near_bits: int,
) -> LabelFile:  # fmt: skip
    """Write the labels of all judged images, and those of another table that nobody has judged. Raises DataError.

    classes: tag -> label, for tags whose label is called otherwise. also: a table that names images by content.
    shares: None leaves splitting to `fit`. The column `group` keeps copies of one picture on one side: told by the kept
    copies, else by equal perceptual hashes.
    """
    found = judged_images(output, task)
    judged = {one.content_sha256 for one in (*found.agreed, *found.disputed)}
    lines = [_of_judged(one, found, classes) for one in found.agreed]
    lines += _others(also, judged, has_several=found.has_several)
    contents = [line.name for line in lines]
    groups = _groups(output, contents, near_bits)
    splits: Sequence[Split | None] = [line.split for line in lines]
    if shares:
        splits = split_groups([line.strata for line in lines], groups, shares, seed)
    rows = [
        replace(line, group=contents[group][:16], split=split)
        for line, group, split in zip(lines, groups, splits, strict=True)
    ]
    write_labels(path, "content_sha256", rows)
    mine = [line for line in lines if line.is_judged]
    counted = Counter(label for line in mine for label in ([line.label] if line.label else line.present))
    return LabelFile(path, len(mine), dict(sorted(counted.items())), len(lines) - len(mine), found.notes(output))


def _of_judged(one: Agreed, of: JudgedImages, classes: Mapping[str, str]) -> LabelRow:
    if of.has_several:
        return LabelRow(one.content_sha256, *of.answers(one, classes), is_judged=True)
    tag = str(one.tag)
    return LabelRow(one.content_sha256, (), (), is_judged=True, label=classes.get(tag, tag))


def write_labels(path: Path, key: str, rows: Sequence[LabelRow]) -> None:
    """A table of labels as `fit` takes it. key: the column that names the images. Raises DataError."""
    has_one = any(row.label is not None for row in rows)
    said = ("label",) if has_one else ("labels", "absent")
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow((key, *said, "judged", "group", "split"))
            for row in rows:
                cells = (row.label,) if has_one else (JOINER.join(row.present), JOINER.join(row.absent))
                writer.writerow((row.name, *cells, "yes" if row.is_judged else "", row.group, row.split or ""))
    except OSError as problem:
        raise DataError(f"{path}: cannot be written ({problem.strerror or problem})") from problem


def _others(also: Path | None, judged: set[str], *, has_several: bool) -> list[LabelRow]:
    """The images of another table that nobody has judged. Raises DataError."""
    if also is None:
        return []
    table = read_label_table(also, has_several=has_several)
    if table.key != "content_sha256":
        raise DataError(f"{also}: wanted images named by the column content_sha256. Received: {table.key}")
    kept = {row.name: row for row in table.rows if row.name not in judged}
    return [
        LabelRow(
            row.name, row.present, row.absent, row.is_judged, split=row.split, label=None if has_several else row.label
        )
        for row in kept.values()
    ]


def read_answers(path: Path) -> Offer:
    """The files and URLs of a table of several labels an image, as candidates. Raises DataError."""
    by_name: dict[str, list[LabelledName]] = {}
    for row in read_file_table(path).rows:
        by_name.setdefault(row.name, []).append(row)
    rows = [merged(path, lines, name) for name, lines in by_name.items()]
    return Offer(tuple(_of_table(path, row) for row in rows))


def _of_table(path: Path, row: LabelledName) -> Candidate:
    place = None if ImageSource(row.name).is_url else path.parent / row.name
    return Candidate(
        row.label or NO_LABEL, row.label or NO_LABEL, place, source_path=row.name if place else None,
        url=None if place else row.name, split=row.split, present=row.present, absent=row.absent,
    )  # fmt: skip


def _groups(output: Path, contents: Sequence[str], near_bits: int) -> list[int]:
    """A number for each content; copies of one picture have the same."""
    hashes = perceptual_hashes(output, contents)
    fingerprints = _fingerprints(output, contents)
    keys = [(hashes.get(content),) for content in contents]
    return groups_of([fingerprints.get(content) for content in contents], keys, near_bits)


def _fingerprints(output: Path, contents: Sequence[str]) -> dict[str, Fingerprint]:
    """Content -> the fingerprint of its kept copy, where there is one that can be read."""
    with tempfile.TemporaryDirectory(prefix="eoltag-labels-") as folder:
        copies = write_copies(output, set(contents), Path(folder))
        seen = read_fingerprints(list(copies.values()))
        return {
            content: one.fingerprint
            for content, one in zip(copies, seen, strict=True)
            if isinstance(one, FingerprintedImage)
        }
