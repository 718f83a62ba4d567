"""Keras imported without TensorFlow's greetings, in workers and in training alike."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def import_keras(backend: str) -> None:
    """Import Keras, before anything else does. Raises ImportError where it or its backend is not installed.

    backend: unless the environment names one.
    """
    os.environ.setdefault("KERAS_BACKEND", backend)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        with _mute_stderr():  # TensorFlow's C++ part greets before it reads the level
            importlib.import_module("keras")


@contextmanager
def _mute_stderr() -> Iterator[None]:
    """Nothing reaches file descriptor 2, whoever writes; errors are raised as ever."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
