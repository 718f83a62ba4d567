"""What a model says of labelled images: scores, and which of the images it was trained on. Never all pixels at once."""

import csv
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import ImageError, PackageError
from eoltag.image.decode import decode
from eoltag.model.package import Package
from eoltag.records import Decoded, InputSpec, Outcome, Pixels, Scores
from eoltag.settings import DecodeSettings
from train.cli import cores, progress
from train.evaluate.classify import BATCH, EngineChoice, load
from train.evaluate.images import HELD_BACK, LabelledImage
from train.images.files import read_image_file
from train.package.model_card import DATA_FILE

AHEAD: Final = 4 * BATCH
"""Decoded images that may wait for the model: bounds memory."""
GREY_MODES: Final = ("1", "L", "LA", "La", "I", "F")
GREY_SPREAD: Final = 8
"""Of 255: channels of a grey picture that was stored as colour differ by no more, JPEG's rounding included."""

TRAINED_ON: Final = "train"

Wanted = Callable[[str | None], bool]
"""Of an image's part in training (train, validation or None): is it to be judged?"""


@dataclass(frozen=True, slots=True)
class Judged:
    """One image after the model."""

    image: LabelledImage
    sha256: str
    """Of the file; empty where it could not be read."""
    seen: str | None
    """train or validation, as the package records it; None where it does not know the image."""
    outcome: Outcome
    detail: str | None = None
    width: int = 0
    height: int = 0
    is_grey: bool = False
    logits: Scores | None = None
    """(C,); None where the image could not be read."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """All images after the model."""

    rows: tuple[Judged, ...]
    """Those that were read, in the order of the images."""
    unreadable: tuple[Judged, ...]
    left_out: int
    """Images that were not wanted."""
    logits: Scores
    """(N, C), in the order of the rows."""
    truth: NDArray[np.int64]
    """(N,)"""


def read_seen(package: Package) -> dict[str, str] | None:
    """sha256 -> train or validation; None where the package does not say. Raises PackageError."""
    path = package.path / DATA_FILE
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"sha256", "split"} <= set(reader.fieldnames or ()):
            raise PackageError(f"{path}: wanted the columns sha256 and split. Received: {reader.fieldnames}")
        seen: dict[str, str] = {}
        for row in reader:
            if seen.get(row["sha256"]) != TRAINED_ON:
                seen[row["sha256"]] = row["split"]
    return seen


def count_seen(images: Sequence[LabelledImage], seen: dict[str, str]) -> int:
    """Images that the model was trained on, told by their bytes; unreadable ones count as unknown."""

    def is_seen(image: LabelledImage) -> bool:
        try:
            return seen.get(_digest(read_image_file(image.path))) == TRAINED_ON
        except ImageError:
            return False

    with ThreadPoolExecutor(cores()) as pool:
        return sum(progress(pool.map(is_seen, images), len(images), "image", "looking for known images"))


def judge(
    package: Package,
    images: Sequence[LabelledImage],
    seen: dict[str, str] | None,
    engine: EngineChoice = "auto",
    is_wanted: Wanted = lambda _: True,
) -> Judgement:
    """Decode and score every wanted image, as the Spark job would. Raises PackageError."""
    model = load(package, engine)
    spec = package.card.spec
    rows: list[Judged] = []
    logits: list[Scores] = []
    unreadable: list[Judged] = []
    left_out = 0
    looked_at = progress(look_ahead(images, spec, seen or {}, is_wanted), len(images), "image", "evaluating")
    while batch := list(islice(looked_at, BATCH)):
        usable = [(row, pixels) for row, pixels in batch if row is not None and pixels is not None]
        unreadable += [row for row, pixels in batch if row is not None and pixels is None]
        left_out += sum(1 for row, _ in batch if row is None)
        if usable:
            scores = model.predict(np.stack([pixels for _, pixels in usable]))
            rows += [replace(row, logits=scores[at]) for at, (row, _) in enumerate(usable)]
            logits.append(scores)
    stacked = np.concatenate(logits) if logits else np.empty((0, len(package.card.labels)), np.float32)
    truth = np.array([row.image.target for row in rows], np.int64)
    return Judgement(tuple(rows), tuple(unreadable), left_out, stacked, truth)


def wanted(split: str | None, *, unseen: bool) -> Wanted:
    """Which images --split and --unseen ask for."""
    if split == HELD_BACK:
        return lambda part: part == HELD_BACK
    if unseen:
        return lambda part: part != TRAINED_ON
    return lambda _: True


_Looked = tuple[Judged | None, Pixels | None]


def look_ahead(
    images: Iterable[LabelledImage], spec: InputSpec, seen: dict[str, str], is_wanted: Wanted
) -> Iterator[_Looked]:
    """Every image in order, decoded some way ahead. Pillow decodes outside the GIL, so threads do."""
    waiting: deque[Future[_Looked]] = deque()
    with ThreadPoolExecutor(cores()) as pool:
        for image in images:
            waiting.append(pool.submit(_look, image, spec, seen, is_wanted))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _look(image: LabelledImage, spec: InputSpec, seen: dict[str, str], is_wanted: Wanted) -> _Looked:
    """(None, None) where the image is not wanted; no pixels where it cannot be read."""
    digest, part = "", None
    try:
        data = read_image_file(image.path)
        digest = _digest(data)
        part = seen.get(digest)
        if not is_wanted(part):
            return None, None
        found = decode(data, [spec], DecodeSettings().max_pixels)
    except ImageError as problem:
        return Judged(image, digest, part, problem.outcome, problem.detail), None
    pixels = found.pixels[0]
    row = Judged(
        image,
        digest,
        part,
        Outcome.OK,
        width=image.width or found.width,
        height=image.height or found.height,
        is_grey=_is_grey(image, found, pixels),
    )
    return row, pixels


def _is_grey(image: LabelledImage, found: Decoded, pixels: Pixels) -> bool:
    if (image.color_mode or found.color_mode).split(";")[0] in GREY_MODES:
        return True
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max(initial=0)) <= GREY_SPREAD


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
