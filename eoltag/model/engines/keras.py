"""Keras on any backend: the GPU engine, and the fallback that always works."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import PackageError
from eoltag.model.card import FILES_OF, Part, PrecisionChoice, PrecisionName
from eoltag.model.engines.batches import Rows, check_shapes, pad_batch
from eoltag.model.engines.precision import choose_precision
from eoltag.model.package import Unpacked
from eoltag.model.quiet import import_keras
from eoltag.records import Scores

BF16_COMPUTE_CAPABILITY: Final = (8, 0)
"""NVIDIA Ampere, the first with bfloat16 units."""


class KerasNetwork:
    """One loaded network with a fixed batch: a whole model, a base or a head. Call it from one thread at a time."""

    name: str
    """Runtime and precision: keras-f32 or keras-bf16."""

    def __init__(
        self,
        model: Unpacked,
        batch_size: int,
        threads: int,
        backend: str,
        precision: PrecisionChoice = "f32",
        part: Part = "whole",
    ) -> None:
        import_keras(backend)
        import keras

        backend = keras.backend.backend()
        limit_threads(backend, threads)
        network = _load(model, FILES_OF[part]["keras"][0])
        check_shapes(model.card, part, network.input_shape[1:], network.output_shape[-1])
        # Asked for by name, bfloat16 holds on CPU as well (slowly): `export` measures it there.
        has_bf16 = precision == "bf16" or (precision == "auto" and has_bf16_gpu(backend))
        native: set[PrecisionName] = {"f32", "bf16"} if has_bf16 else {"f32"}
        chosen = choose_precision(model.card, "keras", precision, native)
        self.name = f"keras-{chosen}"
        if chosen == "bf16":
            compute_in_bf16(network)
        else:
            forbid_tf32(backend)
        self._batch_size = batch_size
        self._call = _compiled(network, (batch_size, *network.input_shape[1:]), backend)

    def predict(self, rows: Rows) -> Scores:
        """Rows up to the batch size to float32 numbers."""
        return self.begin(rows)()

    def begin(self, rows: Rows) -> Callable[[], Scores]:
        """Hand rows over; what this returns gives the numbers.

        On a GPU with TensorFlow, copying and computing go on meanwhile: begin the next batch before the numbers of the
        last are taken, and its copy runs beside the computation. `rows` may be written to at once.
        """
        count = len(rows)
        found = self._call(pad_batch(rows, self._batch_size))
        return lambda: np.asarray(found, np.float32)[:count]


def _load(model: Unpacked, name: str) -> Any:
    """The keras.Model in one file of a package. Raises PackageError."""
    import keras

    with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
        path = Path(folder) / name
        path.write_bytes(model.files[name])
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as problem:  # Keras raises nearly anything on a file that it refuses
            reason = (str(problem) or type(problem).__name__).strip().splitlines()[0]
            raise PackageError(f"{model.card.name}: Keras refuses {name} ({reason})") from problem


def compute_in_bf16(model: Any) -> None:
    """Every layer of a keras.Model in bfloat16 over its f32 weights, but for the last, so that scores stay fine."""
    import keras

    last = model.outputs[0]._keras_history.operation
    while isinstance(last, keras.Model):
        last = last.outputs[0]._keras_history.operation
    for layer in model._flatten_layers(include_self=False):
        if layer is not last and not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")


def has_bf16_gpu(backend: str) -> bool:
    """A GPU that computes bfloat16 natively is there for this backend."""
    if backend == "tensorflow":
        import tensorflow as tf

        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        capabilities = [detail.get("compute_capability", (0, 0)) for detail in details]
        return bool(capabilities) and min(capabilities) >= BF16_COMPUTE_CAPABILITY
    if backend == "jax":
        import jax

        gpus = [device for device in jax.devices() if device.platform == "gpu"]
        versions = [tuple(int(part) for part in gpu.compute_capability.split(".")) for gpu in gpus]
        return bool(versions) and min(versions) >= BF16_COMPUTE_CAPABILITY
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False))


def forbid_tf32(backend: str) -> None:
    """Rows say f32: recent GPUs would round to 10 bits of mantissa (TensorFloat-32) unless told not to."""
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    elif backend == "torch":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


def limit_threads(backend: str, threads: int) -> None:
    """Give the backend exactly `threads` CPU threads, and GPU memory as it needs it. Before the first model."""
    if backend == "tensorflow":
        import tensorflow as tf

        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            return  # the runtime is up already (a second model in this process): its first setting stays
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
    elif backend == "jax":
        os.environ.setdefault("XLA_FLAGS", f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}")


def _compiled(model: Any, shape: tuple[int, ...], backend: str) -> Callable[[Rows], Any]:
    """The model as one call on a batch of that shape; with TensorFlow it returns before the GPU is done."""
    if backend != "tensorflow":
        call: Callable[[Rows], Any] = model.predict_on_batch
        return call
    import tensorflow as tf

    spec = tf.TensorSpec(shape, model.inputs[0].dtype)
    function = tf.function(lambda x: model(x, training=False), input_signature=[spec])
    return lambda batch: function(tf.constant(batch))
