"""OpenVINO on CPU, in f32 or what a card proves: the engine of workers without TensorFlow."""

from collections.abc import Callable

import numpy as np
import openvino as ov

from eoltag.errors import PackageError
from eoltag.model.card import FILES_OF, INT8_FILES, Part, PrecisionChoice, PrecisionName
from eoltag.model.engines.batches import Rows, check_shapes, pad_batch, row_shape
from eoltag.model.engines.close_calls import close_calls
from eoltag.model.engines.layout import transpose_late
from eoltag.model.engines.precision import choose_precision, cpu_precisions, faster_precisions
from eoltag.model.package import Unpacked
from eoltag.records import Pixels, Scores


class OpenVinoEngine:
    """A model with its own threads and a fixed batch; in int8 with its f32 version beside it, for close calls."""

    def __init__(self, model: Unpacked, *, batch_size: int, threads: int, precision: PrecisionChoice = "f32") -> None:
        self._card = model.card
        chosen = choose_precision(model.card, "openvino", precision, offered_precisions(ov.Core(), precision))
        self._network = OpenVinoNetwork(model, chosen, batch_size, threads)
        # One image at a time: few of a batch are close calls, and f32 gains nothing from batches on CPUs.
        has_second = chosen == "int8" and model.card.int8_margin > 0
        self._second = OpenVinoNetwork(model, "f32", 1, threads) if has_second else None
        self._name = f"openvino-{chosen}"

    @property
    def name(self) -> str:
        """openvino-f32, openvino-bf16 or openvino-int8."""
        return self._name

    def predict(self, batch: Pixels) -> Scores:
        """(N, H, W, 3) uint8, N up to the batch size, to (N, C) float32."""
        scores = self._network.predict(batch)
        if self._second is not None:
            for row in np.flatnonzero(close_calls(scores, self._card)):
                scores[row] = self._second.predict(batch[row : row + 1])[0]
        return scores

    def begin(self, batch: Pixels) -> Callable[[], Scores]:
        """The scores are there when this returns."""
        scores = self.predict(batch)
        return lambda: scores


class OpenVinoNetwork:
    """One compiled network with a fixed batch: a whole model, a base or a head."""

    def __init__(
        self, model: Unpacked, precision: PrecisionName, batch_size: int, threads: int, part: Part = "whole"
    ) -> None:
        core = ov.Core()
        names = INT8_FILES if precision == "int8" else FILES_OF[part]["openvino"]
        network = _read(core, model, names, (batch_size, *row_shape(model.card, part)))
        self._batch_size = batch_size
        self._compiled = core.compile_model(
            network,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
                # Pinned, two workers of one machine land on the same core: 141 images/s together, 306 unpinned.
                "ENABLE_CPU_PINNING": False,
                # Left alone, OpenVINO takes bf16 where the CPU has it, which flipped 12 % of labels in a trial. What
                # the int8 files leave in floating point was measured in f32 as well.
                "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            },
        )
        taken, given = self._compiled.input(0).shape, self._compiled.output(0).shape
        check_shapes(model.card, part, taken[1:], given[-1])
        self._request = self._compiled.create_infer_request()

    def predict(self, rows: Rows) -> Scores:
        """Rows up to the batch size to float32 numbers."""
        padded = pad_batch(rows, self._batch_size)
        self._request.infer([ov.Tensor(padded, shared_memory=True)])
        return np.array(self._request.get_output_tensor(0).data[: len(rows)], np.float32)

    def begin(self, rows: Rows) -> Callable[[], Scores]:
        """The numbers are there when this returns."""
        found = self.predict(rows)
        return lambda: found


def offered_precisions(core: ov.Core, wanted: PrecisionChoice) -> frozenset[PrecisionName]:
    """The precisions that OpenVINO offers and this CPU has instructions for; OpenVINO alone would list imitated ones.

    For `auto`, only what is faster than f32 as well.
    """
    offered = {str(name).lower() for name in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")}
    able = faster_precisions() if wanted == "auto" else cpu_precisions()
    return frozenset(name for name in able if name == "f32" or name in offered)


def _read(core: ov.Core, model: Unpacked, names: tuple[str, ...], shape: tuple[int, ...]) -> ov.Model:
    """The network with its batch and the shape of its rows fixed."""
    xml, weights = (model.files[name] for name in names)
    try:
        network = core.read_model(xml, ov.Tensor(np.frombuffer(weights, np.uint8)))
        network.reshape(list(shape))
        transpose_late(network)
    except RuntimeError as problem:  # all that OpenVINO ever raises
        reason = str(problem).strip().splitlines()[-1]
        raise PackageError(f"{model.card.name}: OpenVINO cannot read {names[0]} ({reason})") from problem
    return network
