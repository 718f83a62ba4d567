"""A classifier of plain colours that needs no training, and pictures that it finds easy or hard."""

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from eoltag.model.card import CardInput
from eoltag.model.package import Card, Package, write_card
from train.package.runtimes import export_model

LABELS: Final = ("red", "green", "blue")
SIDE: Final = 16
TRAINED_ON: Final = 40


def network(activation: str | None = None, dtype: str = "uint8", classes: int = 3) -> Any:
    """keras.Model: (N, 16, 16, 3) -> one score per channel, ten times its mean over 255. float32 input: 0 to 1."""
    import keras

    layers = keras.layers
    pixels = keras.Input((SIDE, SIDE, 3), dtype=dtype, name="pixels")
    x = layers.Rescaling(1 / 255 if dtype == "uint8" else 1.0, name="unit")(pixels)
    blur = layers.Conv2D(3, 3, padding="same", activation="relu", name="blur")
    x = layers.GlobalAveragePooling2D(name="mean")(blur(x))
    head = layers.Dense(classes, activation=activation, name="head")
    model = keras.Model(pixels, head(x), name="colours")
    blur.set_weights([np.tile(np.eye(3, dtype=np.float32) / 9, (3, 3, 1, 1)), np.zeros(3, np.float32)])
    head.set_weights([10 * np.eye(3, classes, dtype=np.float32), np.linspace(0, 0.1, classes, dtype=np.float32)])
    return model


def draw(folder: Path, count: int, *, contrast: int, seed: int) -> list[Path]:
    """Noisy PNG files in which one channel is brighter by `contrast` of 255."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        base = rng.integers(60, 130) + rng.integers(-20, 21, (SIDE, SIDE, 3))
        base[..., number % 3] += contrast
        path = folder / f"{number:04}.png"
        Image.fromarray(base.astype(np.uint8)).save(path)
        paths.append(path)
    return paths


def write_package(folder: Path, train: list[Path]) -> Package:
    """The classifier as a package that says it was trained on those files."""
    folder.mkdir()
    export_model(network(), folder)
    lines = ["sha256\tsplit\tlabel\tpath"]
    lines += [f"{hashlib.sha256(path.read_bytes()).hexdigest()}\ttrain\tred\t{path.name}" for path in train]
    (folder / "data.tsv").write_text("\n".join(lines) + "\n")
    card = Card(card_version=1, name="colours", labels=LABELS, input=CardInput(height=SIDE, width=SIDE), files={})
    return write_card(folder, card)
