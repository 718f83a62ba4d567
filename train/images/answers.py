"""What is known of images as numbers: a row for each image, a column for each label."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.records import LabelledImage

Answers = NDArray[np.float32]
"""(N, C): 1 where an image shows a label, 0 where it does not, NaN where nobody knows."""

NOTHING: Final = "none"
"""Stands for an image that shows none of several labels: its folder, and what is said of it."""


def answers_of(images: Sequence[LabelledImage], labels: Sequence[str]) -> Answers:
    """(N, C). An image with one label does not show the others; of several labels only what is known counts."""
    column = {label: at for at, label in enumerate(labels)}
    found = np.full((len(images), len(labels)), np.nan, np.float32)
    for at, image in enumerate(images):
        if not (image.present or image.absent):
            found[at] = 0
            found[at, column[image.label]] = 1
            continue
        found[at, [column[label] for label in image.absent]] = 0
        found[at, [column[label] for label in image.present]] = 1
    return found
