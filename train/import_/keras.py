""".keras and .h5 files of other toolkits, with scaling in front and logits behind."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError
from eoltag.records import Pixels, Scores
from train.import_.foreign import LEAST_PROBABILITY, Foreign, ImportRequest, check_outputs, input_size
from train.import_.scaling import scale_array, scale_in_keras
from train.package.runtimes import export_model

REFUSED: Final = {
    "Lambda": "a Lambda layer, which would run code from the file; put a Rescaling or another layer in its place",
    "KerasLayer": (
        "a TensorFlow Hub layer, which Keras 3 has no more; load it where it was made and write a SavedModel with "
        "tf.saved_model.save(model, FOLDER), then import that folder"
    ),
    "TFOpLambda": (
        "TensorFlow operations of Keras 2, which Keras 3 cannot rebuild; load it with Keras 2 and write a SavedModel "
        "with tf.saved_model.save(model, FOLDER), then import that folder"
    ),
}
"""Layer class -> why a file that has one is refused."""


def open_keras(request: ImportRequest) -> Foreign:
    """The model, read without running any code of the file. Raises DataError."""
    import keras

    source = request.source
    _check_layers(source)
    keras.utils.clear_session()  # same names of layers, same model version
    try:
        model = keras.saving.load_model(source, compile=False, safe_mode=True)
    except Exception as problem:  # Keras raises nearly anything on a file that it refuses
        reason = (str(problem) or type(problem).__name__).strip().splitlines()[0]
        raise DataError(
            f"{source}: Keras {keras.__version__} cannot read it ({reason}); load it with the Keras that made it and "
            "write a SavedModel with tf.saved_model.save(model, FOLDER), then import that folder"
        ) from problem
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) > 1 or len(model.outputs or [None]) > 1:
        raise DataError(f"{source}: wanted a model with one input and one output. Received: {len(shapes)} inputs")
    height, width = input_size(shapes[0] if shapes else (None, None, None, 3), request)
    wrapped = _wrapped(model, (height, width), request)
    return Foreign(
        kind=".keras" if source.suffix == ".keras" else "Keras H5",
        height=height,
        width=width,
        scores=lambda pixels: _scores(model, pixels, request),
        write=lambda folder: export_model(wrapped, folder),
    )


def _wrapped(model: Any, size: tuple[int, int], request: ImportRequest) -> Any:
    """keras.Model: uint8 (N, H, W, 3) -> logits (N, C)."""
    import keras

    pixels = keras.Input((*size, 3), dtype="uint8", name="pixels")
    scores = model(scale_in_keras(pixels, request.scaling))
    check_outputs(tuple(scores.shape), request)
    if request.output == "softmax":
        scores = keras.ops.log(keras.ops.maximum(scores, LEAST_PROBABILITY))
    return keras.Model(pixels, scores, name="imported")


def _scores(model: Any, pixels: Pixels, request: ImportRequest) -> Scores:
    return np.asarray(model.predict_on_batch(scale_array(pixels, request.scaling)), np.float32)


def _check_layers(source: Path) -> None:
    """Raises DataError for files without a network and for layers that are refused."""
    try:
        config = json.loads(_config(source))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as problem:
        raise DataError(f"{source}: not a Keras file that holds a whole model ({problem})") from problem
    for name in _class_names(config):
        if name in REFUSED:
            raise DataError(f"{source}: holds {REFUSED[name]}")


def _config(source: Path) -> str:
    """The network's description, as JSON. Raises OSError, KeyError or BadZipFile."""
    if source.suffix == ".keras":
        with zipfile.ZipFile(source) as archive:
            return archive.read("config.json").decode()
    import h5py

    with h5py.File(source, "r") as file:
        if "model_config" not in file.attrs:
            raise KeyError("weights only, no network: save the whole model")
        config = file.attrs["model_config"]
        return config if isinstance(config, str) else bytes(config).decode()


def _class_names(value: Any) -> Iterator[str]:
    """Every class_name in a Keras configuration, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _class_names(item)
    elif isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value["class_name"]
        for item in value.values():
            yield from _class_names(item)
