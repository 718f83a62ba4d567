"""Features: outputs of the frozen part of a network, computed once and cached on disk.

The frozen part runs on OpenVINO, several times as fast on a CPU as Keras, where its numbers agree with those of Keras.
"""

import hashlib
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.records import Pixels
from train.cli import cores, log, progress
from train.data.augment import augment
from train.data.dataset import Dataset, Indices
from train.settings import FitSettings

Features = NDArray[Any]
"""(views, N, ...): float32 rows of pooled features, float16 ones that were stored, or float16 maps."""
Extract = Callable[[Pixels], NDArray[np.float32]]

BATCH: Final = 32
WORTH_AN_EXPORT: Final = 1_500
"""Images below which Keras is done before the export to OpenVINO would be."""
TOLERANCE: Final = 1e-3
"""Largest difference from Keras, of the largest feature: absolute up to 1, relative above."""


@dataclass(slots=True)
class FeatureCache:
    """Features in a folder, keyed by all that they depend on; trainings that share the folder share them."""

    folder: Path
    seconds: float = 0.0
    """Spent on computing features so far."""

    def get(self, kind: str, network: Any, dataset: Dataset, settings: FitSettings, views: int) -> Features:
        """Features of every image and view, from disk or computed now. network: keras.Model from raw pixels.

        The first view is the image as it is, each other one a changed copy.
        """
        path = self.folder / f"{kind}-{_key(network, dataset, settings, views)}.npy"
        return self._kept(path, lambda staged: _compute(staged, network, dataset, settings, views))

    def continued(self, kind: str, network: Any, maps: Features) -> Features:
        """Outputs of the rest of a network for cached maps. network: keras.Model that takes a map (h, w, d)."""
        path = self.folder / f"{kind}-{Path(str(maps.filename)).stem}-{_weights_digest(network)}.npy"  # type: ignore[attr-defined]
        return self._kept(path, lambda staged: _compute_continued(staged, network, maps))

    def _kept(self, path: Path, compute: Callable[[Path], None]) -> Features:
        if not path.is_file():
            started = time.monotonic()
            self.folder.mkdir(parents=True, exist_ok=True)
            staged = path.with_suffix(".tmp")
            compute(staged)
            staged.replace(path)
            self.seconds += time.monotonic() - started
        kept: Features = np.load(path, mmap_mode="r")
        return kept

    def has_room(self, network: Any, images: int, views: int) -> bool:
        """Whether the disk holds float16 maps of that many images with as much to spare."""
        self.folder.mkdir(parents=True, exist_ok=True)
        size = 2 * views * images * math.prod(network.output_shape[1:])
        return bool(2 * size < shutil.disk_usage(self.folder).free)


def extractor(network: Any, images: int) -> Extract:
    """Batches of raw pixels to features, by the fastest runtime that agrees with Keras. images: how many will come."""

    def by_keras(pixels: Pixels) -> NDArray[np.float32]:
        return predict_rows(network, pixels, BATCH)

    if images < WORTH_AN_EXPORT:
        return by_keras
    by_openvino = _openvino(network)
    trial = np.random.default_rng(0).integers(0, 256, (BATCH, *network.input_shape[1:]), np.uint8)
    wanted = by_keras(trial)
    largest = float(np.abs(wanted - by_openvino(trial)).max())
    if largest <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        return by_openvino
    log(f"OpenVINO differs from Keras by up to {largest:.2g} in a feature: Keras it is")
    return by_keras


def _openvino(network: Any) -> Extract:
    import openvino as ov

    core = ov.Core()
    with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
        path = Path(folder) / "features.xml"
        network.export(str(path), format="openvino", verbose=False)
        graph = core.read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes())
    graph.reshape([BATCH, *network.input_shape[1:]])
    hints = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": cores(),
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = core.compile_model(graph, "CPU", hints).create_infer_request()

    def extract(pixels: Pixels) -> NDArray[np.float32]:
        found = request.infer([padded(pixels, BATCH)])
        return np.array(next(iter(found.values()))[: len(pixels)], np.float32)

    return extract


def predict_rows(network: Any, inputs: NDArray[Any], size: int) -> NDArray[np.float32]:
    """Outputs of a keras.Model for at most `size` inputs."""
    return np.asarray(network.predict_on_batch(padded(inputs, size)), np.float32)[: len(inputs)]


def padded(inputs: NDArray[Any], size: int) -> NDArray[Any]:
    """A whole batch, filled up with zeros, so that nothing is compiled twice."""
    if len(inputs) == size:
        return inputs
    full = np.zeros((size, *inputs.shape[1:]), inputs.dtype)
    full[: len(inputs)] = inputs
    return full


def extract_rows(extract: Extract, pixels: Pixels) -> NDArray[np.float32]:
    """Features of any number of images."""
    return np.concatenate([extract(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)])


def _compute(path: Path, network: Any, dataset: Dataset, settings: FitSettings, views: int) -> None:
    images = len(dataset.pixels)
    extract = extractor(network, images * views)
    shape = network.output_shape[1:]
    kind = np.float32 if len(shape) == 1 else np.float16
    found = np.lib.format.open_memmap(path, "w+", kind, (views, images, *shape))
    starts = [(view, start) for view in range(views) for start in range(0, images, BATCH)]
    for view, start in progress(starts, len(starts), "batch", "features"):
        rows: Indices = np.arange(start, min(start + BATCH, images))
        pixels = dataset.pixels[rows]
        if view:
            pixels = augment(pixels, settings.augmentation, (settings.seed, view), rows)
        found[view, rows] = extract(pixels)
    found.flush()


def _compute_continued(path: Path, network: Any, maps: Features) -> None:
    views, images = maps.shape[:2]
    found = np.lib.format.open_memmap(path, "w+", np.float32, (views, images, *network.output_shape[1:]))
    for view in range(views):
        for start in range(0, images, BATCH):
            rows = slice(start, start + BATCH)
            found[view, rows] = predict_rows(network, np.asarray(maps[view, rows], np.float32), BATCH)
    found.flush()


def _key(network: Any, dataset: Dataset, settings: FitSettings, views: int) -> str:
    """16 hex digits over all that the features depend on."""
    content = {
        "network": _weights_digest(network),
        "pooling": settings.pooling,
        "spec": str(settings.spec),
        "views": [settings.augmentation, settings.seed, views] if views > 1 else [],
        "images": [example.sha256 for example in dataset.examples],
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _weights_digest(network: Any) -> str:
    digest = hashlib.sha256(str(network.output_shape).encode())
    for weight in network.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()[:16]
