"""How far apart two colours are for people with and without a colour blindness."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SIGHTS: Final = {
    "usual": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
"""Of linear RGB. Source: Machado, Oliveira and Fernandes (2009), severity 1."""
_XYZ: Final = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE: Final = np.array([0.9505, 1.0, 1.089])


def distance(first: str, second: str, sight: str) -> float:
    """Delta E (CIE 1976) of two colours such as #0072B2 as that sight has them; about 2 is just seen."""
    return float(np.linalg.norm(_lab(first, SIGHTS[sight]) - _lab(second, SIGHTS[sight])))


def _lab(colour: str, sight: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    shares = _XYZ @ np.clip(sight @ linear, 0, 1) / _WHITE
    bent = np.where(shares > 0.008856, np.cbrt(shares), 7.787 * shares + 16 / 116)
    return np.array([116 * bent[1] - 16, 500 * (bent[0] - bent[1]), 200 * (bent[1] - bent[2])])
