"""Keras on any backend: the GPU engine, and the fallback that always works."""

import os
import tempfile
from pathlib import Path

import numpy as np

from eoltag.engines.batches import check_outputs, pad_batch
from eoltag.errors import PackageError
from eoltag.package import KERAS_FILE, Unpacked
from eoltag.records import Pixels, Scores


class KerasEngine:
    """One loaded Keras model. Call it from one thread at a time."""

    def __init__(self, model: Unpacked, *, batch_size: int, threads: int, backend: str) -> None:
        os.environ.setdefault("KERAS_BACKEND", backend)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import keras

        limit_threads(keras.backend.backend(), threads)
        with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
            path = Path(folder) / KERAS_FILE
            path.write_bytes(model.files[KERAS_FILE])
            try:
                self._model = keras.saving.load_model(path, compile=False, safe_mode=True)
            except Exception as problem:  # Keras raises nearly anything on a file that it refuses
                reason = (str(problem) or type(problem).__name__).strip().splitlines()[0]
                raise PackageError(f"{model.card.name}: Keras refuses {KERAS_FILE} ({reason})") from problem
        check_outputs(model.card, self._model.output_shape[-1])
        self._batch_size = batch_size

    def predict(self, batch: Pixels) -> Scores:
        """(N, H, W, 3) uint8, N up to the batch size, to (N, C) float32."""
        padded = pad_batch(batch, self._batch_size)
        return np.asarray(self._model.predict_on_batch(padded), np.float32)[: len(batch)]


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
