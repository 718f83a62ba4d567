"""Do two small sketches show the same picture? That tells photos apart whose hashes are near."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from eoltag.records import Pixels
from train.similar.fingerprints import orient

LEAST_AGREEMENT: Final = 0.93
"""Correlation of the middling detail of two sketches whose hashes are near. Of 2,500 copies made that way all but one
have more; of photos that merely look alike, herbarium sheets and specimen labels of one layout, the most has 0.92."""

MOST_DIFFERENCE: Final = 40
"""In any one colour of any one place of the softened sketches, of 255. Those copies stay below; most maps drawn on one
outline differ by more, and agree in every detail otherwise."""

FLAT: Final = 0.5
"""Standard deviation of the detail, of 255, below which it is noise and only colours count."""
FLAT_DIFFERENCE: Final = 12

FINE: Final = (0.25, 0.5, 0.25)
COARSE: Final = (0.2, 0.2, 0.2, 0.2, 0.2)
"""Weights of cells in a row: what lies between the two is detail that neither noise nor compression changes much."""

PATCH: Final = 8
"""Cells along each side that are first compared by their mean: no mean differs by more than the cells do."""
CHUNK: Final = 2_000
"""Sketches looked at together: bounds memory."""

_ROUNDING: Final = 0.01
"""Error of a mean of up to 255, in single precision."""

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


class Sketches:
    """Many of them, to be asked which show what another one shows."""

    def __init__(self, sketches: Sequence[Pixels]) -> None:
        """sketches: of one size, (32, 32, 3)."""
        self._sketches = sketches
        parts = [_measured(np.stack(sketches[at : at + CHUNK])) for at in range(0, len(sketches), CHUNK)]
        self._means, self._detail, self._spread = (np.concatenate(columns) for columns in zip(*parts, strict=True))

    def matches(self, one: int, turn: int, among: Indices) -> Indices:
        """Those of the positions `among` that show what the sketch at `one` shows in that orientation.

        Quick for those that clearly do not. What is measured turns with the picture, so it need not be measured anew.
        """
        means, detail = (_turned(known[one], turn) for known in (self._means, self._detail))
        is_flat = np.minimum(self._spread[among], self._spread[one]) < FLAT
        most = np.where(is_flat, FLAT_DIFFERENCE, MOST_DIFFERENCE)
        is_match = np.abs(self._means[among].reshape(len(among), -1) - means).max(axis=1) <= most + _ROUNDING
        among, is_flat, most = among[is_match], is_flat[is_match], most[is_match]
        if not len(among):
            return among
        agreement = self._detail[among].reshape(len(among), -1) @ detail / detail.size
        is_match = is_flat | (
            agreement >= LEAST_AGREEMENT * np.maximum(self._spread[among] * self._spread[one], FLAT**2)
        )
        among, most = among[is_match], most[is_match]
        if not len(among):
            return among
        found: Indices = among[self._differences(orient(self._sketches[one], turn), among) <= most]
        return found

    def _differences(self, sketch: Pixels, among: Indices) -> Floats:
        """The greatest of any colour of any place, softened, (N,)."""
        one = _smooth(sketch[None].astype(np.float32), FINE)
        found = [np.empty(0, np.float32)]
        for start in range(0, len(among), CHUNK):
            others = np.stack([self._sketches[at] for at in among[start : start + CHUNK].tolist()])
            found.append(np.abs(_smooth(others.astype(np.float32), FINE) - one).max(axis=(1, 2, 3)))
        return np.concatenate(found)


def _measured(sketches: Pixels) -> tuple[Floats, Floats, Floats]:
    """Mean colours of patches (N, 4, 4, 3), each grey cell less those around it (N, 32, 32), its spread (N,)."""
    soft = _smooth(sketches.astype(np.float32), FINE)
    count, height, width, colors = soft.shape
    means = soft.reshape(count, height // PATCH, PATCH, width // PATCH, PATCH, colors).mean(axis=(2, 4))
    grey = soft.mean(axis=3, keepdims=True)
    detail = (grey - _smooth(grey, COARSE))[..., 0]
    detail -= detail.mean(axis=(1, 2), keepdims=True)
    return means, detail, detail.std(axis=(1, 2))


def _turned(picture: Floats, turn: int) -> Floats:
    """In that orientation, as one row."""
    return orient(picture, turn).reshape(-1)


def _smooth(sketches: Floats, weights: Sequence[float]) -> Floats:
    """Each cell as the weighted mean of itself and its neighbours, down and across; beyond the edge lies more edge."""
    for axis in (1, 2):
        sketches = correlate1d(sketches, weights, axis, mode="nearest")
    return sketches
