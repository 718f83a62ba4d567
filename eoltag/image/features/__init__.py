"""The registry of image features: numbers that a task may have measured of a picture beside its models.

A new feature is a file in this folder and an entry here. It becomes rows of the table measures, and a column of tags
under its name, which rules, extra columns and the TSV may use.
"""

from typing import Final

from eoltag.image.features import cartoon
from eoltag.image.features.feature import ImageFeature

__all__ = ["FEATURES", "ImageFeature"]

FEATURES: Final[dict[str, ImageFeature]] = {
    "mnorm_pp": cartoon.MNORM_PP,
    "mnorm_pp_512": cartoon.MNORM_PP_512,
}
"""Name -> feature, in the order of their columns."""
