"""Model runtimes behind one call: predict(uint8 (N, H, W, 3)) -> float32 logits (N, C)."""

from typing import Protocol

from eoltag.package import EngineName, Unpacked
from eoltag.records import Pixels, Scores


class Engine(Protocol):
    """A loaded model."""

    def predict(self, batch: Pixels) -> Scores:
        """Raw scores before any softmax; `batch` holds at most the batch size that the engine was loaded for."""
        ...


def load_engine(name: EngineName, model: Unpacked, *, batch_size: int, threads: int, keras_backend: str) -> Engine:
    """Load `model`. Imports the runtime here and not before, so that OpenVINO workers never pay for TensorFlow."""
    if name == "openvino":
        from eoltag.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(model, batch_size=batch_size, threads=threads)
    from eoltag.engines.keras import KerasEngine

    return KerasEngine(model, batch_size=batch_size, threads=threads, backend=keras_backend)
