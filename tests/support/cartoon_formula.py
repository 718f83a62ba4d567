"""EOL's cartoonization in numpy alone, by the published formulas: what eoltag.image.cartoon must equal bit for bit."""

from collections.abc import Iterator
from math import exp, hypot

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
STEEPNESS = -0.5 / 250**2


def mnorm_pp(picture: Bytes, *, fuses: bool) -> float:
    """Of an RGB picture (H, W, 3).

    fuses: products and sums are rounded together, as where a processor has FMA. OpenCV works on 32 pixels at once then;
    what is left over at the right is summed in an order that its compiler chooses, so W should be a multiple of 32.
    """
    grey = _median(_grey(picture))
    smooth = _bilateral(picture, fuses=fuses)
    smooth[~_is_bright(grey)] = 0
    difference = (_hue(picture).astype(int) - _hue(smooth).astype(int)) % 256
    return float(difference.sum() / picture.size)


def _windows(values: NDArray[np.generic], side: int, border: str) -> Iterator[tuple[int, int, NDArray[np.generic]]]:
    """(row offset, column offset, the whole picture shifted by them) over a square window, row by row."""
    radius, (height, width) = side // 2, values.shape[:2]
    widths = ((radius, radius), (radius, radius), *[(0, 0)] * (values.ndim - 2))
    padded = np.pad(values, widths, mode=border)  # type: ignore[call-overload]
    for row in range(side):
        for column in range(side):
            yield row - radius, column - radius, padded[row : row + height, column : column + width]


def _grey(picture: Bytes) -> Bytes:
    """0.114, 0.587 and 0.299 of the first, second and third channel, in 15 binary places."""
    first, second, third = np.moveaxis(picture.astype(np.int64), 2, 0)
    return ((first * 3735 + second * 19235 + third * 9798 + 2**14) >> 15).astype(np.uint8)


def _median(grey: Bytes) -> Bytes:
    """Of 5 x 5 pixels; the border is repeated."""
    return np.median(np.stack([window for _, _, window in _windows(grey, 5, "edge")]), axis=0).astype(np.uint8)


def _is_bright(grey: Bytes) -> NDArray[np.bool_]:
    """Less than 9 below the rounded mean of 9 x 9 pixels; the border is repeated."""
    total = sum(window.astype(np.int64) for _, _, window in _windows(grey, 9, "edge"))
    mean = np.floor(np.asarray(total) / 81 + 0.5).astype(np.int64)
    return grey.astype(np.int64) > mean - 9


def _bilateral(picture: Bytes, *, fuses: bool) -> Bytes:
    """Mean over the disc of radius 4, weighed by exp(-d^2/2/250^2) of distance and of the sum of colour differences.

    In 32-bit floats, neighbours added up row by row; the border is mirrored.
    """
    weight_of = np.array([exp(d * d * STEEPNESS) for d in range(768)]).astype(np.float32)
    total = np.zeros(picture.shape, np.float32)
    weights = np.zeros(picture.shape[:2], np.float32)
    for row, column, window in _windows(picture, 9, "reflect"):
        if hypot(row, column) > 4:
            continue
        neighbour = window.astype(np.int64)
        differences = np.abs(neighbour - picture.astype(np.int64)).sum(axis=2)
        distance = hypot(row, column)
        weight = np.float32(exp(distance * distance * STEEPNESS)) * weight_of[differences]
        weights += weight
        exact = neighbour * weight[..., None].astype(np.float64)
        total = (exact + total).astype(np.float32) if fuses else total + exact.astype(np.float32)
    return np.rint(total * (np.float32(1) / weights)[..., None]).astype(np.uint8)


def _hue(picture: Bytes) -> Bytes:
    """0 to 179: half the degrees of the HSV circle, in 12 binary places."""
    red, green, blue = np.moveaxis(picture.astype(np.int64), 2, 0)
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    sixths = np.where(value == green, blue - red + 2 * spread, red - green + 4 * spread)
    sixths = np.where(value == red, green - blue, sixths)
    scale = np.rint(30 * 2**12 / np.maximum(spread, 1)).astype(np.int64) * (spread > 0)
    hue = (sixths * scale + 2**11) >> 12
    return np.where(hue < 0, hue + 180, hue).astype(np.uint8)
