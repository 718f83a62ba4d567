"""A folder of classes, decoded: pixels, targets, which file each came from, and how they are split."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoltag.decode import decode
from eoltag.errors import DataError, ImageError
from eoltag.records import InputSpec, Outcome, Pixels
from eoltag.settings import DecodeSettings
from train.command import cores, progress, say
from train.files import read_image_file

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


@dataclass(frozen=True, slots=True)
class Skipped:
    """One file that cannot."""

    path: Path
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Every usable image of a folder."""

    labels: tuple[str, ...]
    """Sorted folder names."""
    examples: tuple[Example, ...]
    pixels: Pixels
    """(N, H, W, 3), in the order of the examples."""
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


def read_dataset(folder: Path, spec: InputSpec, settings: DecodeSettings | None = None) -> Dataset:
    """Decode every image under `folder`, which holds one folder per label.

    Files that cannot be decoded are named and left out. Raises DataError where there are fewer than two classes, or a
    class with fewer than two different images.
    """
    max_pixels = (settings or DecodeSettings()).max_pixels
    files = _find(folder)
    labels = tuple(files)
    listed = [(path, target) for target, label in enumerate(labels) for path in files[label]]
    pixels: Pixels = np.empty((len(listed), spec.height, spec.width, 3), np.uint8)
    examples: list[Example] = []
    skipped: list[Skipped] = []
    decoded = _decoded([folder / path for path, _ in listed], spec, max_pixels)
    for (path, target), (digest, result) in zip(
        listed, progress(decoded, len(listed), "image", "decoding"), strict=True
    ):
        if isinstance(result, ImageError):
            skipped.append(Skipped(path, result.outcome, result.detail))
            say(f"skipped {folder / path}: {result.outcome}, {result.detail}")
        else:
            pixels[len(examples)] = result
            examples.append(Example(path, target, digest))
    dataset = Dataset(labels, tuple(examples), pixels[: len(examples)], tuple(skipped))
    _check_classes(folder, dataset)
    return dataset


def split(dataset: Dataset, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Rows to train on and rows to validate with: that fraction of every label, at least one image and never all.

    Depends on the images' content and the seed, not on file names; identical files fall on the same side.
    """
    rng = np.random.default_rng(seed)
    held: set[tuple[int, str]] = set()
    for target in range(len(dataset.labels)):
        different = sorted({example.sha256 for example in dataset.examples if example.target == target})
        count = min(max(1, round(fraction * len(different))), len(different) - 1)
        held.update((target, different[at]) for at in rng.permutation(len(different))[:count].tolist())
    is_held = np.array([(example.target, example.sha256) in held for example in dataset.examples])
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def _find(folder: Path) -> dict[str, list[Path]]:
    """Label -> its files, relative to the folder; both sorted, hidden ones left out."""
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder (wanted one folder of images per label in it)")
    labels = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(labels) < 2:
        raise DataError(f"{folder}: wanted two folders of images or more, one per label. Received: {labels or 'none'}")
    return {label: sorted(_visible_files(folder / label, folder)) for label in labels}


def _visible_files(folder: Path, root: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        relative = path.relative_to(root)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            yield relative


def _decoded(paths: Sequence[Path], spec: InputSpec, max_pixels: int) -> Iterator[tuple[str, Pixels | ImageError]]:
    """The sha256 and pixels of every file, in order. Pillow decodes outside the GIL, so threads do."""

    def one(path: Path) -> tuple[str, Pixels | ImageError]:
        try:
            data = read_image_file(path)
            return hashlib.sha256(data).hexdigest(), decode(data, [spec], max_pixels).pixels[0]
        except ImageError as problem:
            return "", problem

    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(paths), WINDOW):
            yield from pool.map(one, paths[start : start + WINDOW])


def _check_classes(folder: Path, dataset: Dataset) -> None:
    different = Counter(target for target, _ in {(example.target, example.sha256) for example in dataset.examples})
    for target, label in enumerate(dataset.labels):
        if different[target] < LEAST_IMAGES:
            lost = sum(1 for file in dataset.skipped if file.path.parts[0] == label)
            raise DataError(
                f"{folder / label}: wanted {LEAST_IMAGES} different images or more. "
                f"Received: {different[target]}, and {lost} that could not be read"
            )
