"""The training loop: a network, a data set, weights."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from eoltag.errors import DataError
from eoltag.records import Pixels
from train.architectures import build
from train.augment import augmented
from train.command import say
from train.dataset import Dataset, Indices
from train.settings import FitSettings

History = dict[str, list[float]]
"""Metric name -> its value after every epoch: loss, accuracy, val_loss, val_accuracy, learning_rate."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with its best weights."""

    model: Any
    """keras.Model: uint8 (N, H, W, 3) -> logits (N, C)."""
    history: History


def learn(settings: FitSettings, dataset: Dataset, train: Indices, validation: Indices, seed: int) -> Trained:
    """Train until the epochs or the patience are used up. Same seed, same weights on CPU. Raises DataError."""
    make_repeatable(seed)
    model = build(settings, len(dataset.labels))
    network = augmented(model, settings, seed)
    network.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
    )
    batches = Batches(dataset, train, settings.batch_size, seed)
    record = network.fit(
        batches,
        validation_data=Batches(dataset, validation, settings.batch_size, None),
        epochs=settings.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.EarlyStopping(
                "val_loss", patience=settings.early_stopping_patience, restore_best_weights=True
            ),
            Watch(settings.epochs, len(batches)),
        ],
    )
    history: History = {name: [float(value) for value in values] for name, values in record.history.items()}
    if not all(math.isfinite(value) for value in history["loss"]):
        raise DataError(
            f"training diverged in epoch {len(history['loss'])}: the loss is no longer a number; "
            f"wanted a lower learning_rate than {settings.learning_rate:g}"
        )
    return Trained(keras.Model(model.inputs, model.outputs, name=model.name), history)  # without the optimizer


def make_repeatable(seed: int) -> None:
    """Fix every source of chance, and have TensorFlow add up in a fixed order."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Pixels and one-hot targets, batch by batch; in a new order every epoch where there is a seed."""

    def __init__(self, dataset: Dataset, rows: Indices, batch_size: int, seed: int | None) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._pixels = dataset.pixels
        self._targets = np.eye(len(dataset.labels), dtype=np.float32)[dataset.targets]
        self._rows = rows
        self._batch_size = batch_size
        self._rng = None if seed is None else np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, number: int) -> tuple[Pixels, Any]:
        rows = self._rows[number * self._batch_size : (number + 1) * self._batch_size]
        return self._pixels[rows], self._targets[rows]

    def on_epoch_end(self) -> None:
        """Shuffle."""
        if self._rng is not None:
            self._rows = self._rng.permutation(self._rows)


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """A bar over all batches and a line per epoch, on stderr."""

    def __init__(self, epochs: int, batches: int) -> None:
        super().__init__()
        self._epochs = epochs
        self._bar = tqdm(total=epochs * batches, unit="batch", desc="training", disable=None, leave=False)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """One step further."""
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Say how it stands."""
        now = {name: f"{value:.3f}" for name, value in (logs or {}).items() if name != "learning_rate"}
        say(f"epoch {epoch + 1}/{self._epochs}: " + ", ".join(f"{name} {value}" for name, value in now.items()))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Take the bar away."""
        self._bar.close()
