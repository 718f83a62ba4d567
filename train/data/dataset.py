"""A folder of classes, decoded: pixels, targets, which file each came from, and how they are split."""

import hashlib
import math
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import DataError, ImageError
from eoltag.records import InputSpec, Pixels
from train.cli import log
from train.data.several import list_several
from train.data.splitting import split_groups, straddling
from train.images.answers import Answers, answers_of
from train.images.decoding import decode_ahead, decode_bytes, log_skipped
from train.images.files import read_image_file
from train.images.listing import list_images
from train.records import ImageSet, LabelledImage, Split, Unreadable
from train.similar.fingerprints import SPEC, Fingerprint, fingerprint_of
from train.similar.groups import groups_of

LEAST_IMAGES: Final = 2
"""Images that every class needs: one to learn from, one to validate with."""

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Example:
    """One image that can be learned from."""

    image: LabelledImage
    sha256: str
    fingerprint: Fingerprint | None
    """What is compared with others; None where there is no picture."""
    perceptual_hash: str | None = None
    """Where there is no picture: images with the same one stay together."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Every usable image of a folder, or of a table of labels."""

    folder: Path
    """What was named, for messages."""
    labels: tuple[str, ...]
    """Sorted folder names."""
    examples: tuple[Example, ...]
    pixels: Pixels
    """(N, H, W, 3), in the order of the examples; on disk, and gone from there when this is."""
    skipped: tuple[Unreadable, ...]
    vectors: NDArray[np.float16] | None = None
    """Stored features (N, D) in place of pixels, of which there are none then."""

    @property
    def targets(self) -> Indices:
        """Index of the label of every example, (N,)."""
        target = {label: number for number, label in enumerate(self.labels)}
        return np.array([target[example.image.label] for example in self.examples], np.int64)

    @property
    def feature_length(self) -> int:
        """Numbers in a stored vector; 0 where there are pixels."""
        return 0 if self.vectors is None else int(self.vectors.shape[1])

    def digest(self) -> str:
        """sha256 over the sorted sha256 of the images, whatever their names."""
        lines = sorted(example.sha256 for example in self.examples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def answers(self) -> Answers:
        """What is known of every example, (N, C)."""
        return answers_of([example.image for example in self.examples], self.labels)

    @property
    def is_judged(self) -> list[bool]:
        """Of every example: whether its answer is what a person said of this very image."""
        return [example.image.is_judged for example in self.examples]

    def counts(self, rows: Indices) -> dict[str, int]:
        """Images that show a label, of every label among those rows."""
        counted = (self.answers[rows] == 1).sum(axis=0).tolist()
        return dict(zip(self.labels, counted, strict=True))


def training_images(data: Path, *, has_several: bool = False) -> ImageSet:
    """The images that a training may see: all of `data` but its test split; see list_images.

    has_several: labels an image; see list_several. Raises DataError where there are fewer than two labels, or one
    without images to train on or to validate with.
    """
    if has_several:
        several = list_several(data)
        return replace(several, images=tuple(image for image in several.images if image.split is not Split.TEST))
    found = list_images(data)
    images = tuple(image for image in found.images if image.split is not Split.TEST)
    labels = {image.label for image in images} | set(found.missing)
    if len(labels) < 2:
        raise DataError(
            f"{data}: wanted two folders of images or more, one per label. Received: {sorted(labels) or 'none'}"
        )
    present = {(image.split, image.label) for image in images}
    splits = {image.split for image in images} | ({Split.TRAIN} if found.splits else set())
    for split in sorted(splits, key=str):
        for label in sorted(labels):
            if (split, label) not in present:
                place = f" in the split '{split}'" if split else ""
                raise DataError(f"{data / label}: wanted images of '{label}'{place}. Received: none")
    return replace(found, labels=tuple(sorted(labels)), images=images)


def read_dataset(data: Path | ImageSet, spec: InputSpec) -> Dataset:
    """Decode every image to train on or to validate with; a folder is read by training_images.

    Files that cannot be decoded are named and left out. Raises DataError where there are fewer than two classes, or a
    class with fewer than two different images.
    """
    found = training_images(data) if isinstance(data, Path) else data
    pixels = _on_disk((len(found.images), spec.height, spec.width, 3))
    examples: list[Example] = []
    skipped: list[Unreadable] = []
    decoded = decode_ahead(found.images, lambda image: _decoded(image.path, spec), len(found.images), "decoding")
    for image, result in decoded:
        if isinstance(result, ImageError):
            skipped.append(Unreadable(image.path, result.outcome, result.detail))
            log_skipped(image.path, result.outcome, result.detail)
        else:
            digest, fingerprint, pixels[len(examples)] = result
            examples.append(Example(image, digest, fingerprint))
    dataset = Dataset(found.data, found.labels, tuple(examples), pixels[: len(examples)], tuple(skipped))
    _check_classes(dataset, found)
    return dataset


def split(dataset: Dataset, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Rows to train on and rows to validate with: as the folder has them, else that fraction of every label.

    Images that look alike stay on one side. Depends on the images' content and the seed, not on file names. Raises
    DataError where a class cannot be on both sides.
    """
    order = sorted(range(len(dataset.examples)), key=lambda row: (dataset.examples[row].sha256, row))
    examples = [dataset.examples[row] for row in order]
    keys = [(example.sha256, example.perceptual_hash, example.image.group) for example in examples]
    groups = groups_of([example.fingerprint for example in examples], keys)
    if any(example.image.split is Split.VAL for example in examples):
        sides = [example.image.split or Split.TRAIN for example in examples]
        torn = straddling(groups, sides)
        if torn:
            log(f"{torn} groups of like images lie in both train and val: validation will look better than it is")
    else:
        sides = split_groups([example.image.strata for example in examples], groups, (1 - fraction, fraction), seed)
    is_held = np.zeros(len(order), np.bool_)
    is_held[order] = [side is Split.VAL for side in sides]
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


def _decoded(path: Path, spec: InputSpec) -> tuple[str, Fingerprint, Pixels]:
    """The sha256, look and pixels of a file. Raises ImageError."""
    # In one go only where that leaves the model's pixels as the job will see them: a larger picture that is wanted as
    # well would have a JPEG decoded at another scale.
    is_larger = spec.width >= SPEC.width and spec.height >= SPEC.height
    goes = [[spec, SPEC]] if is_larger else [[spec], [SPEC]]
    data = read_image_file(path)
    pixels, seen = (picture for specs in goes for picture in decode_bytes(data, specs).pixels)
    return hashlib.sha256(data).hexdigest(), fingerprint_of(seen), pixels


def _check_classes(dataset: Dataset, found: ImageSet) -> None:
    offered = Counter(image.label for image in found.images)
    usable = Counter(example.image.label for example in dataset.examples)
    if any(example.image.present or example.image.absent for example in dataset.examples):
        check_answers(dataset)
        return
    different = Counter(label for label, _ in {(example.image.label, example.sha256) for example in dataset.examples})
    for label in dataset.labels:
        if different[label] < LEAST_IMAGES:
            raise DataError(
                f"{dataset.folder / label}: wanted {LEAST_IMAGES} different images or more. "
                f"Received: {different[label]}, and {offered[label] - usable[label]} that could not be read"
            )


def check_answers(dataset: Dataset) -> None:
    """Raises DataError where a label of several has too few images that show it, or that are known not to."""
    answers = dataset.answers
    for at, label in enumerate(dataset.labels):
        for answer, meaning in ((1, "show"), (0, "are known not to show")):
            count = int((answers[:, at] == answer).sum())
            if count < LEAST_IMAGES:
                raise DataError(
                    f"{dataset.folder}: wanted {LEAST_IMAGES} different images or more that {meaning} '{label}'. "
                    f"Received: {count}"
                )


def _check_sides(dataset: Dataset, train: Indices, validation: Indices) -> None:
    answers = dataset.answers
    for name, rows in (("train on", train), ("validate with", validation)):
        for answer, of in ((1, "of"), (0, "without")):
            for label, count in zip(dataset.labels, (answers[rows] == answer).sum(axis=0), strict=True):
                if not count:
                    raise DataError(
                        f"{dataset.folder}: no image {of} '{label}' is left to {name}, since like images stay "
                        "together; wanted more that differ"
                    )
