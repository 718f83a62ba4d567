"""Trial runner: one training of a search, with images, splits and features shared by all."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eoltag.errors import UsageError
from eoltag.records import InputSpec
from train.data.dataset import Dataset, Indices, read_dataset, split
from train.fit.checkpoints import Epoch
from train.fit.features import FeatureCache
from train.records import ImageSet
from train.settings import FitSettings


@dataclass(slots=True)
class TrialRunner:
    """Trains the settings of a trial; shares images by size, splits, and features of frozen bases."""

    listing: ImageSet
    datasets: dict[InputSpec, Dataset]
    splits: dict[tuple[float, int], tuple[Indices, Indices]]
    cache: FeatureCache

    def dataset(self, spec: InputSpec) -> Dataset:
        """The images, decoded once for each size. The same rows are the same images in all of them."""
        if spec not in self.datasets:
            self.datasets[spec] = read_dataset(self.listing, spec)
        return self.datasets[spec]

    def rows(self, settings: FitSettings) -> tuple[Indices, Indices]:
        """Rows to train on and to validate with: the same for the same seed, whatever the size."""
        key = (settings.validation_fraction, settings.seed)
        if key not in self.splits:
            self.splits[key] = split(next(iter(self.datasets.values())), *key)
        return self.splits[key]

    def train(self, settings: FitSettings, on_epoch: Callable[[Epoch], bool] | None = None) -> dict[str, Any]:
        """One training: scores of its best epoch, epochs, seconds. Raises what learn and on_epoch raise."""
        from train.fit.loop import learn

        started = time.monotonic()
        dataset, rows = self.dataset(settings.spec), self.rows(settings)
        trained = learn(settings, dataset, *rows, cache=self.cache, on_epoch=on_epoch, log=_not_at_all)
        return {
            "val_accuracy": trained.best.val_accuracy,
            "val_loss": trained.best.val_loss,
            "epochs": len(trained.history),
            "best_epoch": trained.history.index(trained.best) + 1,
            "parameters": int(trained.model.count_params()),
            "seconds": round(time.monotonic() - started, 1),
        }


def failures() -> tuple[type[Exception], ...]:
    """Exceptions that fail one trial and not the search."""
    import tensorflow as tf

    return UsageError, MemoryError, tf.errors.OpError


def reason_of(problem: Exception) -> str:
    text = " ".join(str(problem).split())[:300]
    return text if isinstance(problem, UsageError) else f"{type(problem).__name__}: {text or 'no memory left'}"


def scores(found: dict[str, Any]) -> str:
    """The result of a training as text."""
    if "reason" in found:
        return f"failed: {found['reason']}"
    return f"val_accuracy {found['val_accuracy']:.4f}, val_loss {found['val_loss']:.4f}, {found['seconds']:.0f} s"


def _not_at_all(_: str) -> None:
    pass
