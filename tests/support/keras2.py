"""Files as Keras 2 leaves them, written by Keras 2 itself: tests/train/import_/keras2, made anew by

    pip install --no-deps tf-keras && python -m tests.support.keras2

tf-keras is Keras 2 for today's TensorFlow. The tests read the files that are there and need none of it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

FOLDER: Final = Path(__file__).parent.parent / "train/import_/keras2"
SCORES_FILE: Final = "scores.npz"
SIDE: Final = 16
CLASSES: Final = 3


def pictures() -> Any:
    """Six of noise from dark to bright, (N, 16, 16, 3) uint8."""
    rng = np.random.default_rng(9)
    return (rng.integers(0, 256, (6, SIDE, SIDE, 3)) * np.linspace(0.2, 1, 6)[:, None, None, None]).astype(np.uint8)


def decathlon(keras: Any) -> Any:
    """Functional: a base with batch normalisation as a layer, pooling, two dense layers; compiled, trained a step."""
    layers = keras.layers
    image = layers.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, use_bias=False)(image)
    x = layers.BatchNormalization(axis=3, scale=False)(x)
    base = keras.Model(image, layers.Activation("relu")(x), name="base")
    x = layers.GlobalAveragePooling2D()(base.output)
    x = layers.Dropout(0.2)(layers.Dense(8, activation="relu")(x))
    model = keras.Model(inputs=[base.input], outputs=[layers.Dense(CLASSES, activation="softmax")(x)])
    return _trained(model)


def peetz(keras: Any) -> Any:
    """Functional: two stacks of convolutions, joined."""
    layers = keras.layers
    image = layers.Input((SIDE, SIDE, 3))
    stacks = []
    for kernel in (5, 3):
        x = layers.Conv2D(3, kernel, padding="same", activation="relu")(image)
        stacks.append(layers.Dropout(0.2)(layers.MaxPooling2D(4)(x)))
    x = layers.Flatten()(layers.concatenate(stacks))
    return _trained(keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x)))


def augmented(keras: Any) -> Any:
    """Sequential, its augmentation a Sequential inside."""
    layers = keras.layers
    changes = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
    return keras.Sequential(
        [
            layers.InputLayer((SIDE, SIDE, 3)),
            changes,
            layers.DepthwiseConv2D(3),
            layers.GlobalMaxPooling2D(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def half(keras: Any) -> Any:
    """Mixed precision: float16 layers, a float16 softmax that is very sure."""
    layers, policy = keras.layers, keras.mixed_precision.Policy("mixed_float16")
    image = layers.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(4, 3, dtype=policy)(image)
    x = layers.GlobalAveragePooling2D(dtype=policy)(x)
    sure = keras.initializers.RandomNormal(stddev=40.0, seed=3)
    return keras.Model(image, layers.Dense(CLASSES, "softmax", kernel_initializer=sure, dtype=policy)(x))


def scratch(keras: Any) -> Any:
    """EOL's network for training from nothing, small, with its softmax; saved as weights alone."""
    layers = keras.layers
    stack = [layers.InputLayer((SIDE, SIDE, 3))]
    for filters, kernel in ((2, 5), (2, 3), (4, 3)):
        stack += [layers.Conv2D(filters, kernel, padding="same", activation="relu"), layers.MaxPooling2D()]
    stack += [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dropout(0.2)]
    return keras.Sequential([*stack, layers.Dense(CLASSES, activation="softmax")])


MODELS: Final[dict[str, Callable[[Any], Any]]] = {
    "decathlon": decathlon,
    "peetz": peetz,
    "augmented": augmented,
    "half": half,
    "scratch": scratch,
}


def _trained(model: Any) -> Any:
    """After a step, so that the file holds an optimiser as well, and averages that are not 0 and 1."""
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(pictures() / np.float32(255), np.eye(CLASSES)[[0, 1, 2, 0, 1, 2]], verbose=0)
    return model


def main() -> None:
    """Write the files and what Keras 2 makes of the pictures."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tf_keras

    scores = {}
    for name, build in MODELS.items():
        tf_keras.utils.set_random_seed(1)
        model = build(tf_keras)
        scores[name] = np.asarray(model(pictures() / np.float32(255), training=False), np.float32)
        if name == "scratch":
            model.save_weights(FOLDER / f"{name}.h5")
        else:
            model.save(FOLDER / f"{name}.h5", save_format="h5")
    np.savez(FOLDER / SCORES_FILE, **scores)


if __name__ == "__main__":
    main()
