"""data.tsv of a package: every image that its training has seen, by content, so that an evaluation can leave it out."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from eoltag.errors import PackageError
from eoltag.model.package import Package
from train.records import LabelledImage, Split

DATA_FILE: Final = "data.tsv"

PART_NAMES: Final = {Split.TRAIN: "train", Split.VAL: "validation"}
"""How tables name the two parts of a training."""


def write_data_table(folder: Path, rows: Iterable[tuple[str, Split, LabelledImage]]) -> None:
    """A line for the sha256 of each image, and whether it was trained on or validated with."""
    lines = [f"{sha256}\t{PART_NAMES[split]}\t{image.label}\t{image.shown}\n" for sha256, split, image in rows]
    (folder / DATA_FILE).write_text("".join(["sha256\tsplit\tlabel\tpath\n", *lines]), encoding="utf-8")


def read_data_table(package: Package) -> dict[str, Split] | None:
    """sha256 -> TRAIN or VAL, TRAIN where it was both; None where the package has no table. Raises PackageError."""
    path = package.path / DATA_FILE
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"sha256", "split"} <= set(reader.fieldnames or ()):
            raise PackageError(f"{path}: wanted the columns sha256 and split. Received: {reader.fieldnames}")
        known: dict[str, Split] = {}
        for row in reader:
            split = Split.named(row["split"] or "")
            if split is not None and known.get(row["sha256"]) is not Split.TRAIN:
                known[row["sha256"]] = split
    return known
