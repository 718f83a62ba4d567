"""A package as a TensorFlow SavedModel, for whoever serves with TensorFlow: uint8 pictures in, logits out."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import PackageError
from eoltag.model.card import KERAS_FILE
from eoltag.model.package import Package
from train.cli import start_keras
from train.package.runtimes import TOLERANCE, predict, tolerated
from train.package.staging import check_folder, replacing

MARKER: Final = "saved_model.pb"
COMPARED: Final = 8


def export_saved_model(package: Package, out: Path, *, overwrite: bool) -> dict[str, Any]:
    """Write the folder, with its labels in `labels.txt`; returns the summary. Raises PackageError and OutputError."""
    if KERAS_FILE not in package.card.files:
        raise PackageError(f"{package.path}: --saved-model is made from {KERAS_FILE}, which this package lacks")

    def check() -> None:
        check_folder(out, MARKER, "SavedModel", f"no {MARKER}", overwrite=overwrite)

    check()
    start_keras()
    import keras

    model = keras.saving.load_model(package.path / KERAS_FILE, compile=False, safe_mode=True)
    with replacing(out, check) as folder:
        model.export(str(folder), format="tf_saved_model", verbose=False)
        (folder / "labels.txt").write_text("".join(f"{label}\n" for label in package.card.labels), encoding="utf-8")
        difference = _difference(package, folder)
    return {
        "out": str(out),
        "model_version": package.version,
        "labels": list(package.card.labels),
        "differs_by": difference,
    }


def _difference(package: Package, folder: Path) -> float:
    """The largest difference from the package's logits, on noise. Raises PackageError above what rounding explains."""
    import tensorflow as tf

    size = package.card.input
    pixels = np.random.default_rng(0).integers(0, 256, (COMPARED, size.height, size.width, 3), np.uint8)
    wanted = predict(package, "keras", pixels)
    served = tf.saved_model.load(str(folder))  # held: its variables go with it
    came = np.asarray(served.serve(pixels))
    difference = float(np.abs(came - wanted).max())
    if not np.all(np.abs(came - wanted) <= tolerated(wanted)):
        raise PackageError(
            f"{package.path}: the SavedModel differs by up to {difference:.2g} in a logit; wanted {TOLERANCE:g} or "
            "less, or that share of the largest logit. Nothing was written"
        )
    return difference
