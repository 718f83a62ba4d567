"""Pretrained weights of a base, from a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from eoltag.errors import SettingsError

SUFFIXES = (".h5", ".keras")


def load_weights(base: Any, path: Path, wanted: str) -> None:
    """Fill a base (keras.Model) from a file of keras.applications without top, or from a model that contains one.

    wanted: what the weights must be of, for messages. Raises SettingsError.
    """
    if not path.is_file():
        raise SettingsError(f"weights: wanted imagenet, none or a file. Received: {path}, and there is no such file")
    if not path.name.endswith(SUFFIXES):
        raise SettingsError(f"weights: {path}: wanted a file that ends in {' or '.join(SUFFIXES)}")
    try:
        if path.suffix == ".keras":
            base.set_weights(
                _matching(base, keras.saving.load_model(path, compile=False, safe_mode=True)).get_weights()
            )
        else:
            base.load_weights(path)
    except Exception as problem:  # Keras and h5py raise nearly anything on a file that does not fit
        raise SettingsError(f"weights: {path} holds no weights of {wanted}: {first_sentence(problem)}") from problem


def first_sentence(problem: Exception) -> str:
    """First sentence of a library's error message."""
    text = str(problem).strip() or type(problem).__name__
    return text.splitlines()[0].partition(". ")[0][:200]


def _matching(base: Any, model: Any) -> Any:
    """The part of a model whose weights have the base's shapes. Raises ValueError."""
    wanted = [tuple(weight.shape) for weight in base.weights]
    for part in _parts(model):
        if [tuple(weight.shape) for weight in part.weights] == wanted:
            return part
    raise ValueError(f"no part of the model has its {len(wanted)} arrays")


def _parts(model: Any) -> Iterator[Any]:
    yield model
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _parts(layer)
