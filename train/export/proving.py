"""How a package scores in faster arithmetic: against f32 on held-out images, and at which cost."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from eoltag.errors import DataError
from eoltag.model.card import KERAS_FILE, EngineName, Precision, PrecisionName
from eoltag.model.engines import BEST_BATCH_SIZE, Engine, load_engine
from eoltag.model.engines.close_calls import close_calls
from eoltag.model.package import Package, unpack
from eoltag.records import Pixels, Scores
from train.cli import cores, progress, start_keras
from train.export.agreement import Agreement, compare

BATCH: Final = 32
TIMED_IMAGES: Final = 96
TIMED_ROUNDS: Final = 3
PRECISIONS: Final[dict[str, tuple[EngineName, PrecisionName]]] = {
    "int8": ("openvino", "int8"),
    "bf16": ("openvino", "bf16"),
    "keras_bf16": ("keras", "bf16"),
}
"""Flag of the card -> what it stands for."""


def prove(package: Package, names: Sequence[str], pixels: Pixels) -> dict[str, Agreement]:
    """Each of PRECISIONS -> its agreement with f32 of Keras, or of OpenVINO where the package has no Keras model.

    pixels: held-out images (N, H, W, 3). Raises DataError where this machine does not compute a precision natively.
    """
    if not names:
        return {}
    exact = scores_at(package, "keras" if KERAS_FILE in package.card.files else "openvino", "f32", pixels)
    found = {}
    for name in names:
        engine, precision = PRECISIONS[name]
        agreement = compare(exact, scores_at(package, engine, precision, pixels), package.card)
        found[name] = replace(agreement, rescored=_rescored(package, pixels)) if name == "int8" else agreement
    return found


def _rescored(package: Package, pixels: Pixels) -> float:
    """Share of the images that int8 leaves too close to call."""
    if not package.card.int8_margin:
        return 0.0
    alone = replace(package, card=package.card.model_copy(update={"int8_margin": 0.0}))
    return float(close_calls(scores_at(alone, "openvino", "int8", pixels), package.card).mean())


def scores_at(package: Package, engine: EngineName, precision: PrecisionName, pixels: Pixels) -> Scores:
    """Logits (N, C) at a precision that the card need not prove.

    Raises DataError where this machine does not compute it.
    """
    loaded = _load(package, engine, precision, BATCH, cores())
    starts = range(0, len(pixels), BATCH)
    steps = progress(starts, len(starts), "batch", loaded.name)
    return np.concatenate([loaded.predict(pixels[start : start + BATCH]) for start in steps])


def cpu_ms(package: Package, pixels: Pixels) -> dict[str, float]:
    """OpenVINO in f32 and in int8: CPU milliseconds an image of this process, as a worker with one core works.

    In turns over the same images, so that other work on the machine disturbs both alike.
    """
    size, chosen = BEST_BATCH_SIZE["openvino"], pixels[:TIMED_IMAGES]
    engines = {name: _load(package, "openvino", name, size, 1) for name in ("f32", "int8")}
    spent: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(TIMED_ROUNDS):
        for name, engine in engines.items():
            started = time.process_time()
            for at in range(0, len(chosen), size):
                engine.predict(chosen[at : at + size])
            spent[name].append(time.process_time() - started)
    return {name: round(1000 * float(np.median(seconds)) / len(chosen), 3) for name, seconds in spent.items()}


def _load(package: Package, engine: EngineName, precision: PrecisionName, batch_size: int, threads: int) -> Engine:
    trial = package.card.model_copy(
        update={"precision": Precision(bf16=True, int8=precision == "int8", keras_bf16=True)}
    )
    if engine == "keras":
        start_keras()
    loaded = load_engine(
        engine,
        unpack(replace(package, card=trial).pack(engine, precision)),
        batch_size=batch_size,
        threads=threads,
        keras_backend="tensorflow",
        precision=precision,
    )
    if loaded.name != f"{engine}-{precision}":
        raise DataError(
            f"--{precision}: this machine's processor does not compute {precision} natively, so that nothing can "
            "be proven here; wanted one with avx512_bf16 or AMX (bf16), or with VNNI or AMX (int8)"
        )
    return loaded
