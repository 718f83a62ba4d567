""".keras and .h5 files of other toolkits, of Keras 2 and 3, with scaling in front and logits behind."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError
from eoltag.records import Pixels, Scores
from train.import_.configuration import class_names, half_precision, translated
from train.import_.foreign import Foreign, ImportRequest, input_size
from train.import_.outputs import check_outputs, logits_in_keras
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

LONGEST_REASON: Final = 200
"""Letters of what Keras says; it may quote whole configurations."""
_CAUSE: Final = "Exception encountered: "
"""What Keras writes before the cause, behind the configuration that it could not read."""


def open_keras(request: ImportRequest) -> Foreign:
    """The model, read without running any code of the file. Raises DataError."""
    import keras

    source = request.source
    config = read_config(source)
    keras.utils.clear_session()  # same names of layers, same model version
    model = _load(source, translated(config))
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    outputs = len(model.outputs or [None])
    if len(shapes) > 1 or outputs > 1:
        raise DataError(
            f"{source}: wanted a model with one input and one output. Received: {len(shapes)} inputs, {outputs} outputs"
        )
    height, width = input_size(shapes[0] if shapes else (None, None, None, 3), request)
    wrapped = _wrapped(model, (height, width), request)
    precision = half_precision(config)
    own = _load(source, translated(config, keeps_precision=True)) if precision else model
    return Foreign(
        kind=".keras" if zipfile.is_zipfile(source) else "Keras H5",
        height=height,
        width=width,
        scores=lambda pixels: _scores(own, pixels, request),
        write=lambda folder: export_model(wrapped, folder),
        half_precision=precision,
    )


def load_weights(model: Any, source: Path) -> None:
    """Read a file's weights into a keras.Model, layer by layer. What Keras raises comes through.

    Keras tells the two kinds of file by their names, which may lie; here the content tells.
    """
    with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
        named = Path(folder) / ("weights.keras" if zipfile.is_zipfile(source) else "weights.h5")
        named.symlink_to(source.resolve())
        model.load_weights(named)


def read_config(source: Path) -> dict[str, Any]:
    """The network's description. Raises DataError for files without a network and for layers that are refused."""
    try:
        config: dict[str, Any] = json.loads(_config(source))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as problem:
        raise DataError(f"{source}: not a Keras file that holds a whole model ({problem})") from problem
    for name in class_names(config):
        if name in REFUSED:
            raise DataError(f"{source}: holds {REFUSED[name]}")
    return config


def reason(problem: Exception) -> str:
    """Why Keras refused, in one line."""
    text = str(problem).rpartition(_CAUSE)[2].strip() or type(problem).__name__
    line = text.splitlines()[0]
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]} ..."


def _load(source: Path, config: dict[str, Any]) -> Any:
    """keras.Model of that configuration with the weights of the file. Raises DataError."""
    import keras

    try:
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        load_weights(model, source)
    except Exception as problem:  # Keras raises nearly anything on a file that it refuses
        raise DataError(
            f"{source}: Keras {keras.__version__} cannot read it ({reason(problem)}); load it with the Keras that made "
            "it and write a SavedModel with tf.saved_model.save(model, FOLDER), then import that folder"
        ) from problem
    return model


def _wrapped(model: Any, size: tuple[int, int], request: ImportRequest) -> Any:
    """keras.Model: uint8 (N, H, W, 3) -> logits (N, C)."""
    import keras

    pixels = keras.Input((*size, 3), dtype="uint8", name="pixels")
    scores = _single(model(scale_in_keras(pixels, request.scaling)))
    check_outputs(tuple(scores.shape), request)
    return keras.Model(pixels, logits_in_keras(scores, request), name="imported")


def _scores(model: Any, pixels: Pixels, request: ImportRequest) -> Scores:
    return np.asarray(_single(model.predict_on_batch(scale_array(pixels, request.scaling))), np.float32)


def _single(output: Any) -> Any:
    """The one output of a model, which `Model([v], [o])` and files of Keras 2 give in a list."""
    while isinstance(output, (list, tuple, dict)):
        (output,) = output.values() if isinstance(output, dict) else output
    return output


def _config(source: Path) -> str:
    """The network's description, as JSON. Raises OSError, KeyError or BadZipFile."""
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            return archive.read("config.json").decode()
    import h5py

    with h5py.File(source, "r") as file:
        if "model_config" not in file.attrs:
            raise KeyError("weights only, no network: save the whole model, or name its settings with --network")
        config = file.attrs["model_config"]
        return config if isinstance(config, str) else bytes(config).decode()
