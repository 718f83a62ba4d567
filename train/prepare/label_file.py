"""Judgements as a table of labels, which `fit --features --labels` takes: no picture is needed, seconds are enough."""

import csv
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eoltag.errors import DataError
from eoltag.settings import DecodeSettings
from train.data.label_table import ALL_OTHERS, read_label_table
from train.data.splitting import Shares, split_groups
from train.data.stored_features import perceptual_hashes
from train.images.answers import JOINER, NOTHING
from train.prepare.sources.judgements import judged_images, labels_of, write_copies
from train.records import Split
from train.similar.fingerprints import Fingerprint, FingerprintedImage, read_fingerprints
from train.similar.groups import groups_of


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A table of labels that was written."""

    path: Path
    judged_images: int
    judged: dict[str, int]
    """Label -> images that people have judged; of several labels those that show it, and `none`."""
    others: int
    """Images of another table that nobody has judged."""
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        counts = {"judged_images": self.judged_images, "judged": self.judged}
        return {"labels": str(self.path), **counts, "others": self.others, "notes": list(self.notes)}

    def text(self) -> str:
        """For a person."""
        counted = ", ".join(f"{label} {images:,}" for label, images in self.judged.items())
        first = f"{self.path}: {self.judged_images:,} judged images ({counted}), {self.others:,} others"
        return "\n".join([first, *(f"note: {note}" for note in self.notes)])


@dataclass(frozen=True, slots=True)
class _Line:
    content: str
    labels: tuple[str, ...]
    """One, or of several all that it shows."""
    absent: tuple[str, ...]
    """Of several: those that it is known not to show."""
    is_judged: bool
    split: Split | None = None

    @property
    def strata(self) -> tuple[str, ...]:
        """What a split divides evenly."""
        return self.labels or (NOTHING,)


def write_label_file(
    output: Path, task: str, classes: Mapping[str, str], also: Path | None, path: Path, shares: Shares | None,
    seed: int, near_bits: int, *, has_several: bool = False,
) -> LabelFile:  # fmt: skip
    """Write the labels of all judged images, and those of another table that nobody has judged. Raises DataError.

    classes: tag -> label, for tags whose label is called otherwise. also: a table that names images by content.
    shares: None leaves splitting to `fit`. The column `group` keeps copies of one picture on one side: told by the kept
    copies, else by equal perceptual hashes. has_several: tags an image; what a person did not name is absent.
    """
    found = judged_images(output, task)
    lines = [
        _judged(one.content_sha256, labels_of(one, classes, has_several=has_several), has_several=has_several)
        for one in found.agreed
    ]
    lines += _others(also, {*(one.content_sha256 for one in (*found.agreed, *found.disputed))}, has_several=has_several)
    contents = [line.content for line in lines]
    groups = _groups(output, contents, near_bits)
    splits: Sequence[Split | None] = [line.split for line in lines]
    if shares:
        splits = split_groups([line.strata for line in lines], groups, shares, seed)
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            names = ("labels", "absent") if has_several else ("label",)
            writer.writerow(("content_sha256", *names, "judged", "group", "split"))
            for line, group, split in zip(lines, groups, splits, strict=True):
                judged = "yes" if line.is_judged else ""
                said = [JOINER.join(each) for each in (line.labels, line.absent)][: len(names)]
                writer.writerow((line.content, *said, judged, contents[group][:16], split or ""))
    except OSError as problem:
        raise DataError(f"{path}: cannot be written ({problem.strerror or problem})") from problem
    counted = Counter(label for line in lines if line.is_judged for label in line.strata)
    judged_count = sum(line.is_judged for line in lines)
    return LabelFile(path, judged_count, dict(sorted(counted.items())), len(lines) - judged_count, found.notes(output))


def _judged(content: str, labels: tuple[str, ...], *, has_several: bool) -> _Line:
    """An image as people see it; of several labels all others are absent."""
    if not has_several:
        return _Line(content, labels, (), is_judged=True)
    return _Line(content, tuple(label for label in labels if label != NOTHING), (ALL_OTHERS,), is_judged=True)


def _others(also: Path | None, judged: set[str], *, has_several: bool) -> list[_Line]:
    if also is None:
        return []
    table = read_label_table(also, has_several=has_several)
    if table.key != "content_sha256":
        raise DataError(f"{also}: wanted images named by the column content_sha256. Received: {table.key}")
    kept = {row.name: row for row in table.rows if row.name not in judged}
    return [
        _Line(row.name, row.present if has_several else (row.label,), row.absent, row.is_judged, row.split)
        for row in kept.values()
    ]


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
        seen = read_fingerprints(list(copies.values()), DecodeSettings().max_pixels)
        return {
            content: one.fingerprint
            for content, one in zip(copies, seen, strict=True)
            if isinstance(one, FingerprintedImage)
        }
