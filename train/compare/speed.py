"""How many images a second each engine of a package takes, measured now. Decoding is not part of it."""

import time
from typing import Final

import numpy as np

from eoltag.errors import PackageError
from eoltag.model.engines import Engine
from eoltag.model.package import Package
from eoltag.records import Pixels
from train.cli import log
from train.evaluate.classify import BATCH, load

WARM_UP: Final = 2
LEAST_BATCHES: Final = 5
MEASURED_S: Final = 1.0
"""As many batches as fit. The fastest counts: what else runs on the machine can only slow one down."""


def images_per_s(package: Package) -> dict[str, float]:
    """Engine -> images a second in batches of BATCH, on all cores. An engine that cannot be loaded here is left out."""
    spec = package.card.spec
    batch: Pixels = np.random.default_rng(0).integers(0, 256, (BATCH, spec.height, spec.width, 3), np.uint8)
    speeds: dict[str, float] = {}
    for name in package.engines:
        try:
            speeds[name] = _speed(load(package, name), batch)
        except (PackageError, ImportError) as problem:
            log(f"{package.path}: engine {name} cannot be measured here ({problem})")
    return speeds


def _speed(model: Engine, batch: Pixels) -> float:
    for _ in range(WARM_UP):
        model.predict(batch)
    taken: list[float] = []
    while len(taken) < LEAST_BATCHES or sum(taken) < MEASURED_S:
        started = time.perf_counter()
        model.predict(batch)
        taken.append(time.perf_counter() - started)
    return len(batch) / min(taken)
