"""Model runtimes behind one call: predict(uint8 (N, H, W, 3)) -> float32 logits (N, C)."""

from collections.abc import Callable
from typing import Final, Protocol

from eoltag.model.card import EngineName, Part, PrecisionChoice
from eoltag.model.engines.batches import Network
from eoltag.model.engines.parts import BaseEngine, HeadEngine
from eoltag.model.package import Unpacked
from eoltag.records import Pixels, Scores

__all__ = ["BaseEngine", "Engine", "HeadEngine", "load_base", "load_engine", "load_head"]

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
        """Runtime and precision, as openvino-f32: two columns of the scores table."""
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
    from eoltag.model.engines.keras import KerasNetwork

    return KerasNetwork(model, batch_size, threads, keras_backend, precision)


def load_base(name: EngineName, model: Unpacked, *, batch_size: int, threads: int, keras_backend: str) -> BaseEngine:
    """Load the base of a package that was packed for it: Package.pack(name, part="base"). In f32.

    What it gives is what every package with this base_version takes.
    """
    return BaseEngine(f"{name}-f32", _load_part("base", name, model, batch_size, threads, keras_backend))


def load_head(name: EngineName, model: Unpacked, *, batch_size: int, threads: int, keras_backend: str) -> HeadEngine:
    """Load the head of a package that was packed for it: Package.pack(name, part="head"). In f32.

    batch_size: rows that go through at once; a call may have any number of them.
    """
    network = _load_part("head", name, model, batch_size, threads, keras_backend)
    return HeadEngine(f"{name}-f32", network, batch_size, model.card.feature_length, len(model.card.labels))


def _load_part(
    part: Part, name: EngineName, model: Unpacked, batch_size: int, threads: int, keras_backend: str
) -> Network:
    if name == "openvino":
        from eoltag.model.engines.openvino import OpenVinoNetwork

        return OpenVinoNetwork(model, "f32", batch_size, threads, part)
    from eoltag.model.engines.keras import KerasNetwork

    return KerasNetwork(model, batch_size, threads, keras_backend, part=part)
