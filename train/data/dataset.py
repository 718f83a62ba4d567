"""A folder of classes, decoded: pixels, targets, which file each came from, and how they are split."""

import hashlib
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import DataError, ImageError
from eoltag.image.decode import decode
from eoltag.records import InputSpec, Outcome, Pixels
from eoltag.settings import DecodeSettings
from train.cli import cores, progress, say
from train.data.splitting import split_groups, straddling
from train.images.files import read_image_file
from train.images.listing import Listing, SplitName, list_images
from train.similar.fingerprints import SPEC, Look, look_at
from train.similar.groups import groups_of

LEAST_IMAGES: Final = 2
"""Of every class: one to learn from, one to validate with."""
WINDOW: Final = 256
"""Images being decoded before the oldest is taken: bounds memory, not speed."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Example:
    """One image that can be learned from."""

    path: Path
    """Relative to the data folder."""
    target: int
    """Index of its label."""
    sha256: str
    look: Look
    """What is compared with others."""
    split: SplitName | None = None
    """Where the folder has put it."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file that cannot."""

    path: Path
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Every usable image of a folder."""

    folder: Path
    labels: tuple[str, ...]
    """Sorted folder names."""
    examples: tuple[Example, ...]
    pixels: Pixels
    """(N, H, W, 3), in the order of the examples; on disk, and gone from there when this is."""
    skipped: tuple[Skipped, ...]

    @property
    def targets(self) -> Indices:
        """Index of the label of every example, (N,)."""
        return np.array([example.target for example in self.examples], np.int64)

    def digest(self) -> str:
        """sha256 over the sorted sha256 of the images, whatever their names."""
        lines = sorted(example.sha256 for example in self.examples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def counts(self, rows: Indices) -> dict[str, int]:
        """Images of every label among those rows."""
        counted = Counter(self.targets[rows].tolist())
        return {label: counted[target] for target, label in enumerate(self.labels)}


def read_dataset(data: Path | Listing, spec: InputSpec, settings: DecodeSettings | None = None) -> Dataset:
    """Decode every image of a folder of classes (see list_images).

    Files that cannot be decoded are named and left out. Raises DataError where there are fewer than two classes, or a
    class with fewer than two different images.
    """
    listing = list_images(data) if isinstance(data, Path) else data
    max_pixels = (settings or DecodeSettings()).max_pixels
    pixels = _on_disk((len(listing.files), spec.height, spec.width, 3))
    examples: list[Example] = []
    skipped: list[Skipped] = []
    found = _decoded([listing.folder / file.path for file in listing.files], spec, max_pixels)
    for file, result in zip(listing.files, progress(found, len(listing.files), "image", "decoding"), strict=True):
        if isinstance(result, ImageError):
            skipped.append(Skipped(file.path, result.outcome, result.detail))
            say(f"skipped {listing.folder / file.path}: {result.outcome}, {result.detail}")
        else:
            digest, look, pixels[len(examples)] = result
            examples.append(Example(file.path, file.target, digest, look, file.split))
    dataset = Dataset(listing.folder, listing.labels, tuple(examples), pixels[: len(examples)], tuple(skipped))
    _check_classes(dataset)
    return dataset


def split(dataset: Dataset, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Rows to train on and rows to validate with: as the folder has them, else that fraction of every label.

    Images that look alike stay on one side. Depends on the images' content and the seed, not on file names. Raises
    DataError where a class cannot be on both sides.
    """
    order = sorted(range(len(dataset.examples)), key=lambda row: (dataset.examples[row].sha256, row))
    examples = [dataset.examples[row] for row in order]
    groups = groups_of([example.look for example in examples], [(example.sha256,) for example in examples])
    if any(example.split == "validation" for example in examples):
        sides: list[str | None] = ["val" if example.split == "validation" else "train" for example in examples]
        torn = straddling(groups, sides)
        if torn:
            say(f"{torn} groups of like images lie in both train and val: validation will look better than it is")
    else:
        labels = [dataset.labels[example.target] for example in examples]
        sides = [*split_groups(labels, groups, (1 - fraction, fraction), seed)]
    is_held = np.zeros(len(order), np.bool_)
    is_held[order] = [side == "val" for side in sides]
    train, validation = np.flatnonzero(~is_held), np.flatnonzero(is_held)
    _check_sides(dataset, train, validation)
    return train, validation


def _on_disk(shape: tuple[int, ...]) -> Pixels:
    """Room for pixels in a file that has no name any more, so that nothing is left whatever ends the process."""
    folder, size = tempfile.gettempdir(), math.prod(shape)
    free = shutil.disk_usage(folder).free
    if not size < free:
        raise DataError(f"{folder}: wanted room for {size:,} bytes of pixels, {free:,} are free; TMPDIR names another")
    with tempfile.NamedTemporaryFile(prefix="eoltag-pixels-") as file:
        return np.memmap(file.name, np.uint8, "w+", shape=shape)


def _decoded(
    paths: Sequence[Path], spec: InputSpec, max_pixels: int
) -> Iterator[tuple[str, Look, Pixels] | ImageError]:
    """The sha256, look and pixels of every file, in order. Pillow decodes outside the GIL, so threads do."""
    # In one go only where that leaves the model's pixels as the job will see them: a larger picture that is wanted as
    # well would have a JPEG decoded at another scale.
    is_larger = spec.width >= SPEC.width and spec.height >= SPEC.height
    goes = [[spec, SPEC]] if is_larger else [[spec], [SPEC]]

    def one(path: Path) -> tuple[str, Look, Pixels] | ImageError:
        try:
            data = read_image_file(path)
            pixels, seen = (picture for specs in goes for picture in decode(data, specs, max_pixels).pixels)
        except ImageError as problem:
            return problem
        return hashlib.sha256(data).hexdigest(), look_at(seen), pixels

    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(paths), WINDOW):
            yield from pool.map(one, paths[start : start + WINDOW])


def _check_classes(dataset: Dataset) -> None:
    different = Counter(target for target, _ in {(example.target, example.sha256) for example in dataset.examples})
    for target, label in enumerate(dataset.labels):
        if different[target] < LEAST_IMAGES:
            lost = sum(1 for file in dataset.skipped if label in file.path.parts)
            raise DataError(
                f"{dataset.folder / label}: wanted {LEAST_IMAGES} different images or more. "
                f"Received: {different[target]}, and {lost} that could not be read"
            )


def _check_sides(dataset: Dataset, train: Indices, validation: Indices) -> None:
    for name, rows in (("train on", train), ("validate with", validation)):
        for label, count in dataset.counts(rows).items():
            if not count:
                raise DataError(
                    f"{dataset.folder}: no image of '{label}' is left to {name}, since like images stay together; "
                    "wanted more that differ"
                )
