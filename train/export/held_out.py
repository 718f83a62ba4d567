"""Images for calibrating and for proving, told apart by what the package says it was trained on."""

import csv
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from eoltag.errors import DataError, ImageError
from eoltag.image.decode import decode
from eoltag.model.package import Package
from eoltag.records import InputSpec, Pixels
from eoltag.settings import DecodeSettings
from train.cli import cores, progress, say
from train.images.files import read_image_file
from train.package.model_card import DATA_FILE

SPLIT: Final = "split"


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded images, each content once, in the order of their sha256: as good as shuffled, and the same every time."""

    sha256: tuple[str, ...]
    pixels: Pixels
    """(N, H, W, 3)."""


def trained_on(package: Package) -> frozenset[str] | None:
    """sha256 of the package's training images, from its data.tsv; None where it has none. Raises DataError."""
    if DATA_FILE not in package.card.files:
        return None
    path = package.path / DATA_FILE
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"sha256", SPLIT} <= set(rows.fieldnames or ()):
            raise DataError(f"{path}: wanted the columns sha256 and {SPLIT}. Received: {rows.fieldnames}")
        return frozenset(row["sha256"] for row in rows if row[SPLIT] == "train")


def read_pictures(folders: Sequence[Path], spec: InputSpec, most: int, wanted: Callable[[str], bool]) -> Pictures:
    """At most `most` images at any depth of the folders whose sha256 is `wanted`; what is no image is passed over.

    Raises DataError where one is no folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: not a folder of images")
    contents: dict[str, Path] = {}
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    paths = [path for path in paths if not path.name.startswith(".")]
    for path in progress(paths, len(paths), "file", "reading"):
        try:
            contents.setdefault(hashlib.sha256(read_image_file(path)).hexdigest(), path)
        except ImageError as problem:
            say(f"skipped {path}: {problem.outcome}, {problem.detail}")
    chosen = sorted(digest for digest in contents if wanted(digest))
    found: dict[str, Pixels] = {}
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(chosen), most):  # more than once only where files turn out to be no images
            part = chosen[start : start + most - len(found)]
            decoded = pool.map(lambda digest: _decoded(contents[digest], spec), part)
            pairs = zip(part, progress(decoded, len(part), "image", "decoding"), strict=True)
            found |= {digest: pixels for digest, pixels in pairs if pixels is not None}
            if len(found) == most:
                break
    empty: Pixels = np.empty((0, spec.height, spec.width, 3), np.uint8)
    return Pictures(tuple(found), np.stack(list(found.values())) if found else empty)


def _decoded(path: Path, spec: InputSpec) -> Pixels | None:
    try:
        return decode(read_image_file(path), [spec], DecodeSettings().max_pixels).pixels[0]
    except ImageError:
        return None
