"""A model package of realistic size for measurements: python -m benchmarks.models OUT.

MobileNetV2 alpha 1.0 at 224 px with random layers, and on top of them a linear head fitted by ridge regression to the
drawn pictures, so that labels differ between images as those of a trained model do. Right for speed and for comparing
labels between runtimes; meaningless as tags.
"""

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.photos import drawn_pictures
from eoltag.image.decode import decode
from eoltag.model.card import CardInput
from eoltag.model.package import Card, write_card
from eoltag.records import InputSpec

LABELS: Final = ("herbarium_sheet", "illustration", "map", "photo", "phylogeny")
"""Of the pictures that `train sample-data` draws."""
SIDE_PX: Final = 224
RIDGE: Final = 30.0
"""Added to the diagonal, in units of one image: features are standardised."""


def write_mobilenet_package(path: Path) -> None:
    """The package, and beside it the pictures that its head was fitted to."""
    files = sorted(file for file in drawn_pictures(path.parent / "samples").rglob("*") if file.is_file())
    classes = np.array([LABELS.index(file.parent.name) for file in files])
    model = mobilenet_v2(_pixels(files), classes, len(LABELS))
    (path / "openvino").mkdir(parents=True, exist_ok=True)
    model.save(path / "model.keras")
    model.export(str(path / "openvino" / "model.xml"), format="openvino", verbose=False)
    size = CardInput(height=SIDE_PX, width=SIDE_PX)
    write_card(path, Card(card_version=1, name="bench", labels=LABELS, input=size, files={}))


def mobilenet_v2(pixels: Any, classes: Any, count: int) -> Any:
    """Raw uint8 RGB in, logits out, seeded; the head fitted to `pixels` (N, 224, 224, 3) and `classes` (N,)."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    base = keras.applications.MobileNetV2(
        input_shape=(SIDE_PX, SIDE_PX, 3), weights=None, include_top=False, pooling="avg"
    )
    features = keras.Model(inputs, base(scaled))
    seen = np.concatenate([features.predict_on_batch(pixels[at : at + 32]) for at in range(0, len(pixels), 32)])
    head = keras.layers.Dense(count)
    model = keras.Model(inputs, head(features.output))
    head.set_weights(ridge_head(seen, np.eye(count)[classes]))
    return model


def ridge_head(features: Any, targets: Any) -> list[Any]:
    """Kernel and bias of the ridge regression from standardised `features` (N, F) to `targets` (N, C)."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6 * np.abs(features).max()
    standard = ((features - mean) / scale).astype(np.float64)
    gram = standard.T @ standard + RIDGE * np.eye(standard.shape[1])
    kernel = np.linalg.solve(gram, standard.T @ (targets - targets.mean(axis=0))) / scale[:, np.newaxis]
    bias = targets.mean(axis=0) - mean @ kernel
    return [10 * kernel, 10 * bias]  # as far apart as trained logits are


def _pixels(files: list[Path]) -> Any:
    spec = InputSpec(SIDE_PX, SIDE_PX, "stretch", "bilinear")
    return np.stack([decode(file.read_bytes(), [spec], 95_000_000).pixels[0] for file in files])


if __name__ == "__main__":
    write_mobilenet_package(Path(sys.argv[1]))
