"""Does faster arithmetic tag alike? The gate that a precision passes before a package may use it."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.model.outputs import OUTPUTS
from eoltag.model.package import Card
from eoltag.records import Scores

TOLERATED: Final = 0.005
"""Share of the images whose label, or whose side of a threshold, may change."""
CONFIDENCE: Final = 0.95
MOST_RESCORED: Final = 0.25
"""More close calls than that cost most of what int8 saves: 2 ms and 5.5 for a second score, against 5.5 in f32."""
LEAST_IMAGES: Final = math.ceil(math.log(1 - CONFIDENCE) / math.log(1 - TOLERATED))
"""598: with fewer, not even perfect agreement shows with 95 % confidence that less than 0.5 % of images change, since
(1 - 0.005) ** n, the chance of n agreements in a row at that rate, is still above 5 %."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two sets of logits of the same held-out images, compared."""

    images: int
    same_label: float
    """Share of the images with the same answer: the best label, or of several labels each on the same side of 0.5."""
    largest_logit_difference: float
    flips: dict[str, float]
    """Label with a threshold on the card -> share of the images that change side, by probability or by logit, whichever
    is more: a task file may compare either."""
    rescored: float = 0.0
    """Share of the images that were scored again in f32 as close calls."""

    @property
    def is_proven(self) -> bool:
        """The gate."""
        return self.images >= LEAST_IMAGES and not self.faults()

    def faults(self) -> list[str]:
        """What is wrong with the scores, whatever the number of images."""
        found = []
        if self.same_label < 1 - TOLERATED:
            found.append(f"{self.same_label:.2%} of the labels agree, {1 - TOLERATED:.1%} are wanted")
        for label, share in self.flips.items():
            if share > TOLERATED:
                found.append(f"{share:.2%} of the images change side of the threshold of '{label}'")
        if self.rescored > MOST_RESCORED:
            found.append(f"{self.rescored:.1%} of the images are close calls, {MOST_RESCORED:.0%} at most are wanted")
        return found

    def document(self) -> dict[str, Any]:
        """For the card's metrics."""
        return {
            "images": self.images,
            "same_label": self.same_label,
            "largest_logit_difference": self.largest_logit_difference,
            "threshold_flips": self.flips,
            "rescored": self.rescored,
            "is_proven": self.is_proven,
        }

    def sentence(self, precision: str) -> str:
        """One line for people: what was decided and the figures behind it."""
        figures = (
            f"{self.same_label:.2%} of the labels agree over {self.images} held-out images, "
            f"logits differ by up to {self.largest_logit_difference:.2g}"
        )
        if self.rescored:
            figures += f", {self.rescored:.1%} are close calls and scored again in f32"
        if self.is_proven:
            return f"{precision}: enabled ({figures})"
        if self.images < LEAST_IMAGES:
            return (
                f"{precision}: not enabled, {self.images} held-out images are too few to tell; wanted {LEAST_IMAGES} "
                f"or more, since fewer cannot show with {CONFIDENCE:.0%} confidence that less than {TOLERATED:.1%} "
                f"change ({figures})"
            )
        return f"{precision}: not enabled, {'; '.join(self.faults())} ({figures})"


def compare(reference: Scores, other: Scores, card: Card) -> Agreement:
    """How far `other` (N, C) is from `reference` (N, C). Scores that are not numbers never agree."""
    is_sound: NDArray[np.bool_] = np.asarray(np.isfinite(other).all(axis=1))
    other = np.nan_to_num(other)
    kind = OUTPUTS[card.output_kind]
    same = (kind.answers(reference) == kind.answers(other)).all(axis=1) & is_sound
    flips = {
        label: _flips(reference, other, is_sound, card, card.labels.index(label), threshold)
        for label, threshold in card.thresholds.items()
    }
    difference = float(np.abs(reference.astype(np.float64) - other).max(initial=0.0))
    return Agreement(len(other), float(same.mean()) if len(same) else 0.0, difference, flips)


def _flips(
    reference: Scores, other: Scores, is_sound: NDArray[np.bool_], card: Card, column: int, threshold: float
) -> float:
    """Share of the images that cross the threshold of one label, in probabilities or in logits, whichever is more."""
    shares = []
    for before, after in (
        (reference, other),
        (card.probabilities(reference), card.probabilities(other)),
    ):
        crossed = (before[:, column] >= threshold) != (after[:, column] >= threshold)
        shares.append(float((crossed | ~is_sound).mean()) if len(crossed) else 0.0)
    return max(shares)
