"""Judgements as a table of labels, which `fit --features --labels` takes: no picture is needed, seconds are enough."""

import csv
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eoltag.errors import DataError
from train.data.label_table import read_label_table
from train.data.splitting import Shares, split_groups
from train.data.stored_features import perceptual_hashes
from train.prepare.sources.judgements import judged_images, write_copies
from train.records import Split
from train.similar.fingerprints import Fingerprint, FingerprintedImage, read_fingerprints
from train.similar.groups import groups_of


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A table of labels that was written."""

    path: Path
    judged: dict[str, int]
    """Label -> images that people have judged."""
    others: int
    """Images of another table that nobody has judged."""
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"labels": str(self.path), "judged": self.judged, "others": self.others, "notes": list(self.notes)}

    def text(self) -> str:
        """For a person."""
        counted = ", ".join(f"{label} {images:,}" for label, images in self.judged.items())
        first = f"{self.path}: {sum(self.judged.values()):,} judged images ({counted}), {self.others:,} others"
        return "\n".join([first, *(f"note: {note}" for note in self.notes)])


@dataclass(frozen=True, slots=True)
class _Line:
    content: str
    label: str
    is_judged: bool
    split: Split | None = None


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
    lines = [_Line(one.content_sha256, classes.get(str(one.tag), str(one.tag)), is_judged=True) for one in found.agreed]
    lines += _others(also, {*(one.content_sha256 for one in (*found.agreed, *found.disputed))})
    contents = [line.content for line in lines]
    groups = _groups(output, contents, near_bits)
    splits: Sequence[Split | None] = [line.split for line in lines]
    if shares:
        splits = split_groups([(line.label,) for line in lines], groups, shares, seed)
    try:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("content_sha256", "label", "judged", "group", "split"))
            for line, group, split in zip(lines, groups, splits, strict=True):
                judged = "yes" if line.is_judged else ""
                writer.writerow((line.content, line.label, judged, contents[group][:16], split or ""))
    except OSError as problem:
        raise DataError(f"{path}: cannot be written ({problem.strerror or problem})") from problem
    counted = Counter(line.label for line in lines if line.is_judged)
    others = len(lines) - sum(counted.values())
    return LabelFile(path, dict(sorted(counted.items())), others, found.notes(output))


def _others(also: Path | None, judged: set[str]) -> list[_Line]:
    if also is None:
        return []
    table = read_label_table(also)
    if table.key != "content_sha256":
        raise DataError(f"{also}: wanted images named by the column content_sha256. Received: {table.key}")
    kept = {row.name: row for row in table.rows if row.name not in judged}
    return [_Line(row.name, row.label, row.is_judged, row.split) for row in kept.values()]


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
