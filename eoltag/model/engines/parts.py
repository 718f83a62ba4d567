"""Base and head of a model apart: pictures to features once, features to logits for as many heads as there are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eoltag.model.engines.batches import Network
from eoltag.records import Pixels, Scores, Vectors


@dataclass(frozen=True, slots=True)
class BaseEngine:
    """A loaded base. Call it from one thread at a time."""

    name: str
    """Runtime and precision, as openvino-f32."""
    network: Network

    def features(self, batch: Pixels) -> Vectors:
        """(N, H, W, 3) uint8, N up to the batch size, to (N, D) float32."""
        return self.network.predict(batch)

    def begin(self, batch: Pixels) -> Callable[[], Vectors]:
        """`features` in two steps, see Engine.begin."""
        return self.network.begin(batch)


@dataclass(frozen=True, slots=True)
class HeadEngine:
    """A loaded head. Call it from one thread at a time."""

    name: str
    """Runtime and precision, as openvino-f32."""
    network: Network
    batch_size: int
    feature_length: int
    labels: int

    def logits(self, vectors: Vectors | NDArray[np.float16]) -> Scores:
        """(N, D) to (N, C) float32, for any N. Raises ValueError for vectors of another length.

        float16 is how tables keep them.
        """
        if vectors.ndim != len(("image", "feature")) or vectors.shape[1] != self.feature_length:
            raise ValueError(f"vectors of shape (N, {self.feature_length}) were wanted. Received: {vectors.shape}")
        found = np.empty((len(vectors), self.labels), np.float32)
        for start in range(0, len(vectors), self.batch_size):
            rows = slice(start, start + self.batch_size)
            found[rows] = self.network.predict(np.asarray(vectors[rows], np.float32))
        return found
