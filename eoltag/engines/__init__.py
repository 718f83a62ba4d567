"""Model runtimes behind one call: predict(uint8 (N, H, W, 3)) -> float32 logits (N, C)."""

from typing import Protocol

from eoltag.package import EngineName, PrecisionChoice, Unpacked
from eoltag.records import Pixels, Scores


class Engine(Protocol):
    """A loaded model."""

    @property
    def name(self) -> str:
        """Runtime and precision, as openvino-f32: the predictions' column `engine`."""
        ...

    def predict(self, batch: Pixels) -> Scores:
        """Raw scores before any softmax; `batch` holds at most the batch size that the engine was loaded for."""
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
        from eoltag.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(model, batch_size=batch_size, threads=threads, precision=precision)
    from eoltag.engines.keras import KerasEngine

    return KerasEngine(model, batch_size=batch_size, threads=threads, backend=keras_backend, precision=precision)
