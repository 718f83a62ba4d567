"""Labelled images scored by a model, and which of them it was trained on. Never all pixels in memory at once."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import ImageError
from eoltag.model.package import Package
from eoltag.records import Outcome, Pixels, Scores
from train.evaluate.classify import EngineChoice, load, scored
from train.evaluate.images import HELD_BACK, SplitChoice
from train.evaluate.label_map import LabelMap
from train.images.answers import Answers, answers_of
from train.images.decoding import decode_ahead, decode_bytes, log_skipped
from train.images.files import content_sha256, read_image_file
from train.records import ImageSet, LabelledImage, Split

GREY_MODES: Final = ("1", "L", "LA", "La", "I", "F")
GREY_SPREAD: Final = 8
"""Levels of 255 by which the channels of a grey picture that was stored as colour may differ, by JPEG's rounding."""

InTraining = dict[str, Split]
"""sha256 of an image -> whether the model was trained on it or validated with it."""
Wanted = Callable[[Split | None], bool]
"""Whether an image with that part in training (None: it had none) is to be scored."""


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """One image after the model; what is None or 0 is not known of an image that could not be read."""

    image: LabelledImage
    sha256: str = ""
    """Digest of the file; empty where it could not be read."""
    in_training: Split | None = None
    """Its part in the model's training, as the package records it; None where it had none."""
    outcome: Outcome = Outcome.OK
    detail: str | None = None
    width: int = 0
    height: int = 0
    is_grey: bool = False


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """All images after the model."""

    images: tuple[ScoredImage, ...]
    """Those that were read, in the order of the set."""
    unreadable: tuple[ScoredImage, ...]
    left_out: int
    """Images that were not wanted."""
    logits: Scores
    """(N, C), in the order of the images."""
    answers: Answers
    """What is known of them, (N, C)."""

    @property
    def truth(self) -> NDArray[np.int64]:
        """Index of the true label of images with one, (N,)."""
        shown: NDArray[np.int64] = self.answers.argmax(axis=1)
        return shown

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Index of the best label, (N,)."""
        best: NDArray[np.int64] = self.logits.argmax(axis=1)
        return best

    def count(self, part: Split) -> int:
        """Images with that part in the model's training."""
        return sum(image.in_training is part for image in self.images)


def count_trained_on(images: Sequence[LabelledImage], in_training: InTraining) -> int:
    """Images that the model was trained on, told by their bytes; unreadable ones count as unknown."""
    digests = decode_ahead([image.path for image in images], content_sha256, len(images), "looking for known images")
    return sum(not isinstance(digest, ImageError) and in_training.get(digest) is Split.TRAIN for _, digest in digests)


def score_images(
    package: Package,
    found: ImageSet,
    in_training: InTraining | None,
    engine: EngineChoice = "auto",
    is_wanted: Wanted = lambda _: True,
    mapping: LabelMap | None = None,
) -> ScoredSet:
    """Decode and score every wanted image, as the Spark job would. mapping: names of `found`.

    Raises PackageError.
    """
    model = load(package, engine)
    read = partial(_read, package=package, in_training=in_training or {}, is_wanted=is_wanted)
    images: list[ScoredImage] = []
    logits: list[Scores] = []
    unreadable: list[ScoredImage] = []
    left_out = 0
    decoded = decode_ahead(found.images, read, len(found.images), "evaluating")
    for image, result, row in scored(model, decoded, lambda result: result[1] if result else None):
        if isinstance(result, ImageError):  # not even its bytes
            result = ScoredImage(image, outcome=result.outcome, detail=result.detail), None
        if result is None:
            left_out += 1
        elif row is None:
            unreadable.append(result[0])
        else:
            images.append(result[0])
            logits.append(row)
    for broken in unreadable:
        log_skipped(broken.image.path, broken.outcome, broken.detail)
    stacked = np.stack(logits) if logits else np.empty((0, len(package.card.labels)), np.float32)
    if mapping is not None:
        stacked = mapping.logits(stacked, package.card.temperature)
    answers = answers_of([one.image for one in images], found.labels)
    return ScoredSet(tuple(images), tuple(unreadable), left_out, stacked, answers)


def wanted(choice: SplitChoice | None, *, is_unseen_only: bool) -> Wanted:
    """Which images --split and --unseen ask for."""
    if choice == HELD_BACK:
        return lambda part: part is Split.VAL
    if is_unseen_only:
        return lambda part: part is not Split.TRAIN
    return lambda _: True


def _read(
    image: LabelledImage, package: Package, in_training: InTraining, is_wanted: Wanted
) -> tuple[ScoredImage, Pixels | None] | None:
    """None where the image is not wanted; no pixels where it cannot be decoded. Raises ImageError without its bytes."""
    data = read_image_file(image.path)
    digest = hashlib.sha256(data).hexdigest()
    part = in_training.get(digest)
    if not is_wanted(part):
        return None
    try:
        found = decode_bytes(data, [package.card.spec])
    except ImageError as problem:
        return ScoredImage(image, digest, part, problem.outcome, problem.detail), None
    row, pixels = image.row, found.pixels[0]
    known = ScoredImage(
        image,
        digest,
        part,
        width=(row.width if row else None) or found.width,
        height=(row.height if row else None) or found.height,
        is_grey=_is_grey((row.color_mode if row else None) or found.color_mode, pixels),
    )
    return known, pixels


def _is_grey(color_mode: str, pixels: Pixels) -> bool:
    if color_mode.split(";")[0] in GREY_MODES:
        return True
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max(initial=0)) <= GREY_SPREAD
