"""Model runtimes behind one call: predict(uint8 (N, H, W, 3)) -> float32 logits (N, C)."""

from collections.abc import Callable
from typing import Final, Protocol

from eoltag.model.package import EngineName, PrecisionChoice, Unpacked
from eoltag.records import Pixels, Scores

__all__ = ["Engine", "load_engine"]

BEST_BATCH_SIZE: Final[dict[EngineName, int]] = {"openvino": 8, "keras": 32}
"""On CPUs. OpenVINO with one thread: MobileNetV2 at 224 px took 5.3 ms an image alone, 5.7 in batches of 8, 7.1 of 32,
whose layers no longer fit the cache; in int8 2.7, 2.5 and 2.4. Keras spends more on each call."""


def best_batch_size(name: EngineName, wanted: int) -> int:
    """`wanted`, or where that is 0 what the runtime is quickest with."""
    return wanted or BEST_BATCH_SIZE[name]


class Engine(Protocol):
    """A loaded model."""

    @property
    def name(self) -> str:
        """Runtime and precision, as openvino-f32: the predictions' column `engine`."""
        ...

    def predict(self, batch: Pixels) -> Scores:
        """Raw scores before any softmax; `batch` holds at most the batch size that the engine was loaded for."""
        ...

    def begin(self, batch: Pixels) -> Callable[[], Scores]:
        """`predict` in two steps: what this returns gives the scores. `batch` may be written to at once.

        A GPU computes in between, a CPU before this returns: with one task per core nobody else would.
        """
        ...


def load_engine(
    name: EngineName,
    model: Unpacked,
    *,
    batch_size: int,
    threads: int,
    keras_backend: str,
    precision: PrecisionChoice = "f32",
) -> Engine:
    """Load `model`. Imports the runtime here and not before, so that OpenVINO workers never pay for TensorFlow.

    precision: used where the card proves it and this machine has it; else the engine is one of f32, and says so.
    """
    if name == "openvino":
        from eoltag.model.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(model, batch_size=batch_size, threads=threads, precision=precision)
    from eoltag.model.engines.keras import KerasEngine

    return KerasEngine(model, batch_size=batch_size, threads=threads, backend=keras_backend, precision=precision)
