"""Pixels and models for the arms that leave both to their user: the same weights and the same resize as eoltag.

Needs numpy and Pillow, and Keras with TensorFlow or OpenVINO; nothing of eoltag, so that it runs in a peer's
environment.
"""

import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Engine = Literal["keras", "openvino"]
ENGINES: Final = ("keras", "openvino")
Batch = NDArray[np.uint8]
Predict = Callable[[Batch], NDArray[np.float32]]

_WHITE: Final = (255, 255, 255)


def picture(data: bytes, side_px: int) -> Batch:
    """uint8 RGB (side_px, side_px, 3): decoded whole, upright, on white, stretched with Pillow's bilinear filter."""
    with Image.open(BytesIO(data)) as opened:
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data:
            layer = image.convert("RGBA")
            image = Image.new("RGB", layer.size, _WHITE)
            image.paste(layer, mask=layer.getchannel("A"))
        small = image.convert("RGB").resize((side_px, side_px), Image.Resampling.BILINEAR)
    return np.asarray(small)


def load(package: Path, engine: Engine, threads: int) -> Predict:
    """The package's model, in f32: uint8 (N, side, side, 3) to float32 logits (N, labels)."""
    return _load_keras(package, threads) if engine == "keras" else _load_openvino(package, threads)


def predict_pictures(predict: Predict, images: Sequence[bytes | None], side_px: int) -> list[int | None]:
    """The best label's index for every image; None where it is missing or cannot be read."""
    read: dict[int, Batch] = {}
    for number, data in enumerate(images):
        if data is None:
            continue
        try:
            read[number] = picture(data, side_px)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue
    found: list[int | None] = [None] * len(images)
    if read:
        for number, best in zip(read, predict(np.stack(list(read.values()))).argmax(axis=1), strict=True):
            found[number] = int(best)
    return found


def _load_keras(package: Path, threads: int) -> Predict:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model: Any = keras.saving.load_model(package / "model.keras", compile=False)
    return lambda batch: np.asarray(model.predict_on_batch(batch))


def _load_openvino(package: Path, threads: int) -> Predict:
    import openvino as ov

    properties = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    compiled = ov.Core().compile_model(package / "openvino" / "model.xml", "CPU", properties)
    return lambda batch: np.array(compiled(batch)[0])
