"""Keras is imported without a word on stderr, and what goes wrong is still raised."""

import os
import subprocess
import sys

from tests.support.paths import ROOT


def imported(backend: str) -> "subprocess.CompletedProcess[str]":
    """A process of its own, in which nothing has told TensorFlow to be quiet."""
    code = (
        f"from eoltag.model.quiet import import_keras; import_keras({backend!r}); "
        "import keras, sys; print(keras.backend.backend(), file=sys.stderr)"
    )
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "KERAS_"))}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=own, capture_output=True, text=True, check=False)


def test_nothing_but_our_own_words_reaches_stderr() -> None:
    done = imported("tensorflow")
    assert (done.returncode, done.stderr) == (0, "tensorflow\n")


def test_a_backend_that_is_not_installed_is_an_import_error() -> None:
    done = imported("torch")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'torch'" in done.stderr
