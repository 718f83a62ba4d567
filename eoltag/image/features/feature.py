"""What an image feature is: on which picture it is measured, how, and between which values it lies."""

from collections.abc import Callable
from dataclasses import dataclass

from eoltag.records import Pixels


@dataclass(frozen=True, slots=True)
class ImageFeature:
    """A number that is measured of a picture."""

    measure: Callable[[Pixels], float]
    """From an RGB picture (H, W, 3) in its own proportions. Imports heavy libraries inside: most runs want none."""
    side_px: int | None
    """The longer side of that picture at most; None: the feature needs the whole picture, as large as it is."""
    low: float
    """The smallest value that it can have."""
    high: float
    """The largest."""
    meaning: str
    """What it says of a picture, for the pages on columns."""
