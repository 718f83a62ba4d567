"""Features by cartoonization: how much the hues of a picture change when it is drawn as a cartoon."""

from typing import Final

from eoltag.image.features.feature import ImageFeature
from eoltag.records import Pixels

_LARGEST: Final = 85.0
"""The largest difference of two hues is a byte, 255, and EOL divides by three values a pixel."""


def mnorm_pp(picture: Pixels) -> float:
    """Manhattan norm per value of an RGB picture (H, W, 3), 0 to 85; see eoltag.image.cartoon for the formula."""
    from eoltag.image.cartoon import cartoonization  # brings OpenCV along

    return cartoonization(picture).mnorm_pp


MNORM_PP: Final = ImageFeature(mnorm_pp, None, 0.0, _LARGEST, "how much the picture changes as a cartoon")
MNORM_PP_512: Final = ImageFeature(
    mnorm_pp, 512, 0.0, _LARGEST, "the same for a picture of at most 512 pixels on its longer side"
)
