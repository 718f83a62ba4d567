"""Weights alone of a network that eoltag can build by itself: `.h5` files of Keras' save_weights."""

from typing import Any

from eoltag.errors import DataError
from train.architectures import build
from train.import_.foreign import Foreign, ImportRequest
from train.import_.keras import load_weights, reason
from train.package.runtimes import export_model
from train.settings import WHOLE, FitSettings


def open_weights(request: ImportRequest, network: FitSettings) -> Foreign:
    """The network of these settings with the weights of the file, layer by layer. Raises DataError.

    There is no foreign network to compare it with: that every array has its shape is all that can be checked.
    """
    import keras

    if network.architecture not in WHOLE:
        raise DataError(
            f"--network: wanted one of {', '.join(sorted(WHOLE))}, whose layers stand in a row. "
            f"Received: {network.architecture}"
        )
    keras.utils.clear_session()
    model: Any = build(network, len(request.labels)).model
    try:
        load_weights(model, request.source)
    except Exception as problem:  # Keras and h5py raise nearly anything on a file that does not fit
        raise DataError(
            f"{request.source}: holds no weights of {network.architecture} at {network.side_px} pixels for "
            f"{len(request.labels)} labels ({reason(problem)})"
        ) from problem
    return Foreign(
        kind=f"weights of {network.architecture}",
        height=network.side_px,
        width=network.side_px,
        scores=model.predict_on_batch,
        write=lambda folder: export_model(model, folder),
    )
