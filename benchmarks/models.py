"""Model packages of realistic size with random weights: right for speed, meaningless as tags."""

import sys
from pathlib import Path
from typing import Any

from eoltag.package import Card, CardInput, write_card

LABELS = ("bad", "good", "herbarium", "map", "photo")
SIDE_PX = 224


def mobilenet_v2() -> Any:
    """MobileNetV2 alpha 1.0 at 224 x 224, raw uint8 RGB in, logits out. Seeded."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE_PX, SIDE_PX, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    base = keras.applications.MobileNetV2(
        input_shape=(SIDE_PX, SIDE_PX, 3), weights=None, classes=len(LABELS), classifier_activation=None
    )
    return keras.Model(inputs, base(scaled))


def write_mobilenet_package(path: Path) -> None:
    """The package for the job; the same weights as `mobilenet_v2()` in model.keras."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "openvino").mkdir(exist_ok=True)
    model = mobilenet_v2()
    model.save(path / "model.keras")
    model.export(str(path / "openvino" / "model.xml"), format="openvino", verbose=False)
    size = CardInput(height=SIDE_PX, width=SIDE_PX)
    write_card(path, Card(card_version=1, name="bench", labels=LABELS, input=size, files={}))


if __name__ == "__main__":
    write_mobilenet_package(Path(sys.argv[1]))
