"""How much a picture changes when it is turned into a cartoon: little for drawings and maps, much for photographs.

Source of procedure and constants: EOL's notebooks (image_type/classify_images, image_type/cartoonify_images).
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from eoltag.records import Pixels

MEDIAN_PX: Final = 5
BLOCK_PX: Final = 9
OFFSET: Final = 9
"""A pixel is an edge where it is darker than the mean of its BLOCK_PX x BLOCK_PX neighbours by OFFSET or more."""
DIAMETER_PX: Final = 9
SIGMA: Final = 250.0
"""Of the bilateral filter, for colour and for distance alike."""

cv2.setNumThreads(1)  # one Spark task has one core


@dataclass(frozen=True, slots=True)
class Cartoonization:
    """How far the hues of a picture and of its cartoon lie apart; the columns of EOL's calibration files."""

    mnorm: int
    """Manhattan norm: the sum of the differences, each a byte (see hue_differences)."""
    mnorm_pp: float
    """mnorm over height x width x 3: EOL divides by the values of the picture, not by its pixels. 0 to 85."""
    znorm: int
    """Zero norm: pixels whose hue changed."""
    znorm_pp: float
    """znorm over height x width x 3. 0 to 1/3."""


def cartoonization(picture: Pixels) -> Cartoonization:
    """The norms of one RGB picture (H, W, 3). 58 ms for 0.3 megapixels, more than any model here."""
    differences = hue_differences(picture, cartoon_of(picture))
    mnorm, znorm = int(differences.sum(dtype=np.uint64)), int(np.count_nonzero(differences))
    return Cartoonization(mnorm, mnorm / picture.size, znorm, znorm / picture.size)


def cartoon_of(picture: Pixels) -> Pixels:
    """The picture (H, W, 3) with its colours smoothed and its edges black.

    Its channels are weighed for grey as if they were BGR, as in EOL's production code, on which the thresholds rest.
    """
    grey = cv2.medianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), MEDIAN_PX)
    edges = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, BLOCK_PX, OFFSET)
    smooth = cv2.bilateralFilter(picture, DIAMETER_PX, SIGMA, SIGMA)
    return np.bitwise_and(smooth, edges[:, :, np.newaxis])


def hue_differences(picture: Pixels, cartoon: Pixels) -> Pixels:
    """Per pixel, the hue (0 to 179) of the picture less that of the cartoon, modulo 256: (H, W) bytes.

    A hue that falls by 1 thus counts 1 and one that rises by 1 counts 255. EOL's thresholds hold only for this form.
    """
    hue, cartoon_hue = (cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[:, :, 0] for image in (picture, cartoon))
    return np.subtract(hue, cartoon_hue, dtype=np.uint8)
