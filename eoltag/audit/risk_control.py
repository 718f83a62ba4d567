"""From scores and mistakes to thresholds that keep a promised error, with the statistics that make it a promise.

For one label, take the images that were given it. At a threshold t those with a score of t or more are accepted, and
error(t) is the share of mistakes that the model makes on accepted images in the long run. From the test images, wrong
of n accepted ones are mistakes, so the binomial tail P(Bin(n, max_error) <= wrong) is the p-value of "error(t) is above
max_error"; it is small exactly where the Clopper-Pearson bound is below max_error (Clopper and Pearson, 1934,
Biometrika 26).

Picking the best of many thresholds is many looks at the same images, which a bound for one look does not cover. So the
thresholds are tested in a fixed order, from the highest down, and testing stops at the first that fails: then all that
passed hold together with the stated confidence (fixed-sequence testing; Angelopoulos, Bates, Candes, Jordan and Lei,
2021, Learn then Test, arXiv:2110.01052). A single mistake at the top would end one such walk early. Therefore several
walks begin, each where a given number of mistakes may be forgiven, and share the risk equally (the multi-start of the
same paper). The thresholds are round numbers that are fixed before any image is looked at. Where a walk begins depends
on how many images are accepted, which is harmless as long as error(t) does not rise with t.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["logit", "probability"]
SCALES: Final[tuple[Scale, ...]] = ("logit", "probability")

FORGIVEN: Final = (0, 1, 3, 7, 15, 31, 63)
"""Mistakes with which a walk may still begin; one walk each, as far as there are images for them."""

MOST_FORGIVEN: Final = 2_000
"""Mistakes beyond which it is not told how many more images would do."""

_FINE: Final = np.arange(800, -801, -1) / 20
_COARSE: Final = np.round(40 * 1.05 ** np.arange(1, 120))
LOGITS: Final = np.concatenate([np.unique(_COARSE)[::-1], _FINE, -np.unique(_COARSE)])
"""Candidates, descending: steps of 0.05 up to 40 on both sides of zero, beyond that of 5 %."""
PROBABILITIES: Final = np.array([0.9999, 0.9995, 0.999, 0.998, 0.995, *(at / 100 for at in range(99, 0, -1))])


@dataclass(frozen=True, slots=True)
class Point:
    """What one threshold would do."""

    threshold: float
    images: int
    """Images that it accepts."""
    wrong: int
    """Accepted ones whose label is wrong."""
    bound: float
    """Upper confidence bound of the error, at the level of one walk."""
    coverage: float
    """Accepted, of the images that were given the label."""

    @property
    def error(self) -> float:
        """1 - precision."""
        return self.wrong / self.images if self.images else 0.0

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "threshold": self.threshold,
            "images": self.images,
            "wrong": self.wrong,
            "error": self.error,
            "bound": self.bound,
            "coverage": self.coverage,
        }


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """Error and coverage of one label at every threshold."""

    label: str
    scale: Scale
    given: int
    """Images that were given the label."""
    points: tuple[Point, ...]
    """From the highest threshold that accepts an image down, where another image is accepted, and the chosen one."""
    chosen: Point | None
    needed: int
    """Images without a mistake that would have to be accepted at least."""
    level: float
    """Risk of one walk: what is left of the promise's after all that are looked at."""

    def reason(self, max_error: float) -> str | None:
        """Why there is no threshold, and how many more images might give one; None where there is one."""
        if self.chosen is not None:
            return None
        if self.given < self.needed:
            return (
                f"only {self.given} images were given this label; at least {self.needed}, all right, are needed: "
                f"{self.needed - self.given} more"
            )
        if not self.points:
            return f"none of {self.given} images reaches the lowest threshold that is looked at"
        best, more = min(self.points, key=_by_bound), self.more_needed(max_error)
        return (
            f"none holds the error below {max_error:g}: nearest is {best.threshold:g} with {best.wrong} wrong "
            f"of {best.images}, bound {best.bound:.3f} (corrected for all that were looked at); "
            + (f"about {more:,} more images of this label might do" if more else "more images alone would not do")
        )

    def more_needed(self, max_error: float) -> int | None:
        """Further images given the label with which the nearest threshold would hold, if it went on as here.

        None where it errs as often as is allowed, or so nearly that tens of thousands would be needed.
        """
        best = min(self.points, key=_by_bound)
        forgiven = best.wrong
        while forgiven <= MOST_FORGIVEN:
            images = images_needed(forgiven, max_error, self.level)
            if best.error * images <= forgiven:
                return max(1, ceil(images / best.coverage) - self.given)
            forgiven += 1 + forgiven // 10
        return None

    def plain(self, max_error: float) -> Point | None:
        """The lowest threshold above which the error was small enough *here*: no promise for other images."""
        small = [point for point in self.points if point.images and point.error <= max_error]
        return min(small, key=lambda point: point.threshold) if small else None

    @property
    def nearest(self) -> Point | None:
        """The threshold that comes nearest to the promise: the one with the lowest bound; None without images."""
        return min(self.points, key=_by_bound, default=None)

    def steps(self, count: int) -> tuple[Point, ...]:
        """So many thresholds from the highest to the lowest, evenly spaced by what they accept: the curve in short."""
        at = np.unique(np.linspace(0, max(len(self.points) - 1, 0), min(count, len(self.points))).astype(int))
        return tuple(self.points[number] for number in at)


def _by_bound(point: Point) -> float:
    return point.bound


def risk_curve(
    label: str,
    scale: Scale,
    scores: NDArray[np.floating[Any]],
    wrong: NDArray[np.bool_],
    max_error: float,
    confidence_level: float,
) -> RiskCurve:
    """Error and coverage at every threshold, and the lowest threshold that keeps the error.

    scores, wrong: of the images that were given `label`, their scores (N,) and whether the label is wrong (N,).
    """
    candidates = LOGITS if scale == "logit" else PROBABILITIES
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    descending = scores.astype(np.float64)[order]
    mistakes = np.concatenate([[0], np.cumsum(wrong[order])])
    accepted = np.searchsorted(-descending, -candidates, side="right")
    if len(scores):
        accepted = accepted[: int(np.argmax(accepted == len(scores))) + 1] if accepted[-1] == len(scores) else accepted
    starts, level = _walks(len(scores), max_error, 1 - confidence_level)
    failed = mistakes[accepted]
    last = _lowest(accepted, failed, starts, max_error, level)
    bounds = upper_bound(failed, accepted, level)
    tells = [at for at in range(len(accepted)) if accepted[at] > (accepted[at - 1] if at else 0) or at == last]
    points = {
        at: Point(
            float(candidates[at]),
            int(accepted[at]),
            int(failed[at]),
            float(bounds[at]),
            float(accepted[at] / len(scores)),
        )
        for at in tells
    }
    needed = images_needed(0, max_error, 1 - confidence_level)
    chosen = None if last is None else points[last]
    return RiskCurve(label, scale, len(scores), tuple(points.values()), chosen, needed, level)


def upper_bound(wrong: NDArray[np.int64], images: NDArray[np.int64], level: float) -> NDArray[np.float64]:
    """Clopper-Pearson bound of the share of mistakes, exceeded with probability `level` at most; 1 for 0 of 0."""
    from scipy.stats import beta

    right = images - wrong
    bounds: NDArray[np.float64] = np.where(right > 0, beta.ppf(1 - level, wrong + 1, np.maximum(right, 1)), 1.0)
    return bounds


@lru_cache(maxsize=1024)
def images_needed(wrong: int, max_error: float, level: float) -> int:
    """The fewest images among which so many mistakes keep the bound at or below `max_error`."""
    from scipy.stats import binom

    low, high = wrong, wrong + 1
    while binom.cdf(wrong, high, max_error) > level:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if binom.cdf(wrong, middle, max_error) > level else (low, middle)
    return high


def _walks(images: int, max_error: float, risk: float) -> tuple[list[int], float]:
    """How many images must be accepted where each walk begins, and the risk of each; as many walks as images allow."""
    for count in range(len(FORGIVEN), 1, -1):
        starts = [images_needed(forgiven, max_error, risk / count) for forgiven in FORGIVEN[:count]]
        if starts[-1] <= images:
            return starts, risk / count
    return [images_needed(0, max_error, risk)], risk


def _lowest(
    accepted: NDArray[np.int64], wrong: NDArray[np.int64], starts: list[int], max_error: float, level: float
) -> int | None:
    """The lowest candidate that any walk reaches; None where no walk gets under way."""
    from scipy.stats import binom

    holds = binom.cdf(wrong, accepted, max_error) <= level
    reached = []
    for start in starts:
        begun = np.flatnonzero(accepted >= start)
        if not len(begun):
            continue
        fails = np.flatnonzero(~holds[begun[0] :])
        steps = int(fails[0]) if len(fails) else len(holds) - int(begun[0])
        if steps:
            reached.append(int(begun[0]) + steps - 1)
    return max(reached, default=None)
