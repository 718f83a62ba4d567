"""Intervals for proportions: of one binomial sample, and of a share that strata of known size make up."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

from scipy.stats import beta, norm

CONFIDENCE: Final = 0.95


def clopper_pearson(right: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval for a proportion: it covers the true one at least as often as `confidence` says.

    Source: Clopper and Pearson, Biometrika 26 (1934).
    """
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, right, of - right + 1)) if right else 0.0
    high = float(beta.ppf(1 - tail, right + 1, of - right)) if right < of else 1.0
    return low, high


@dataclass(frozen=True, slots=True)
class Stratum:
    """Images that were as likely to be drawn: how many are published, and what was found among the audited ones."""

    rows: int
    audited: int
    hits: int
    """Audited images that show what is counted."""


def stratified_share(strata: Sequence[Stratum], confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """A share of all published rows with its interval: (estimate, low, high).

    The models' tags say how many rows each stratum has, judgements how many of them are hits. This is
    prediction-powered inference with the tag as the prediction, where the draw is stratified by that prediction.
    Sources: Angelopoulos et al., Science 382 (2023); Fisch et al., "Stratified prediction-powered inference" (2024).
    In the variance each proportion has one hit and one miss more, as with Agresti and Coull, so that a stratum without
    a miss is not taken for certain. The draw is without replacement, hence the correction for a finite population.
    """
    rows = sum(stratum.rows for stratum in strata)
    if not rows:
        return 0.0, 0.0, 0.0
    estimate, variance = 0.0, 0.0
    for stratum in strata:
        weight = stratum.rows / rows
        if not stratum.audited:  # nothing is known: anything between none and all
            estimate, variance = estimate + weight / 2, variance + weight**2 / 4
            continue
        share = stratum.hits / stratum.audited
        smoothed = (stratum.hits + 1) / (stratum.audited + 2)
        left = (stratum.rows - stratum.audited) / max(1, stratum.rows - 1)
        estimate += weight * share
        variance += weight**2 * smoothed * (1 - smoothed) / stratum.audited * max(0.0, left)
    half = float(norm.ppf((1 + confidence) / 2)) * sqrt(variance)
    return estimate, max(0.0, estimate - half), min(1.0, estimate + half)


def more_to_halve(right: int, of: int) -> int:
    """How many more judgements, at about the same precision, would halve the exact interval."""
    low, high = clopper_pearson(right, of)
    wanted, share, total = (high - low) / 2, right / of, of
    while True:
        total += max(1, of // 10)
        low, high = clopper_pearson(round(share * total), total)
        if high - low <= wanted:
            return ceil(total - of)
