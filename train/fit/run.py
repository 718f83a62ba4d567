"""`fit`: trains on a folder of classes and leaves a numbered attempt with a model package."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eoltag.errors import SettingsError, UsageError
from eoltag.model.package import Package
from train.cli import log, start_keras
from train.data.class_weights import judged_weights
from train.data.dataset import Dataset, read_dataset, split, training_images
from train.fit.attempts import (
    CURVES_FILE,
    TENSORBOARD_FOLDER,
    Attempt,
    check_out,
    check_same_images,
    find_package,
    start_attempt,
    unfinished_attempt,
)
from train.fit.checkpoints import Epoch
from train.fit.choosing import choose_after, said
from train.fit.outputs import TRAINED_KINDS
from train.fit.package import write_package
from train.fit.plots import draw_curves
from train.package.staging import staged
from train.settings import FitSettings

if TYPE_CHECKING:
    from train.architectures import Network
    from train.fit.loop import Trained


@dataclass(frozen=True, slots=True)
class FitInputs:
    """What a training learns from, and the network that it is to train."""

    source: str
    """Words of the command line that name the images."""
    dataset: Dataset
    network: "Network"
    attempt: Attempt | None
    """The one to go on with."""
    earlier: Package | None = None
    """The package whose weights the network starts from."""


def fit_package(
    settings: FitSettings, data: Path, out: Path, *, is_resumed: bool = False, begin_with: Path | None = None
) -> dict[str, Any]:
    """Train on a folder of classes, package, check; returns the summary. Raises UsageError.

    begin_with: a package, attempt or folder of attempts whose weights the training starts from. What is wrong with
    settings, weights or images is told before an attempt begins; a training that fails leaves its attempt without a
    package.
    """
    started = time.monotonic()
    check_out(out, data)
    if settings.features_of:
        raise SettingsError("features_of: names stored features; wanted --features and --labels. Received: --data")
    attempt = unfinished_attempt(out, settings) if is_resumed else None
    begin_with = attempt.begun_with if attempt is not None else begin_with
    earlier = find_package(begin_with) if begin_with is not None else None
    found = training_images(data, has_several=settings.has_several)
    start_keras()
    from train.fit.earlier import take_weights
    from train.fit.loop import start_network

    network = start_network(settings, len(found.labels))  # before the images: it is quick to say what is wrong
    if earlier is not None:
        take_weights(network, earlier, found.labels, settings.output)
    dataset = read_dataset(found, settings.spec)
    return train_and_package(settings, FitInputs(f"--data {data}", dataset, network, attempt, earlier), out, started)


def train_and_package(settings: FitSettings, inputs: FitInputs, out: Path, started: float) -> dict[str, Any]:
    """Split, train, package, check; returns the summary. started: by time.monotonic. Raises UsageError."""
    dataset, attempt = inputs.dataset, inputs.attempt
    rows = split(dataset, settings.validation_fraction, settings.seed)
    TRAINED_KINDS[settings.output].targets(settings, dataset.answers, dataset.labels, rows[0])  # refuses class weights
    judged_weights(settings.judged_weight, dataset.is_judged)
    if attempt is None:
        attempt = start_attempt(out, settings, inputs.source, dataset.digest(), inputs.earlier)
    else:
        check_same_images(attempt, dataset.digest())
    log(
        f"{attempt.folder}: {len(rows[0])} images to train on, {len(rows[1])} to validate with, "
        f"labels {', '.join(dataset.labels)}"
    )
    with _closed_on_failure(attempt):
        trained = _trained(attempt, settings, dataset, rows, inputs.network)
        package = _packaged(attempt, settings, dataset, rows, trained, started)
    attempt.close()
    choice = choose_after(out)
    return {
        **_summary(attempt, package, dataset, rows, trained, time.monotonic() - started),
        "chosen": choice.attempt,
        "choice": said(out, choice),
    }


def _trained(attempt: Attempt, settings: FitSettings, dataset: Dataset, rows: Any, network: "Network") -> "Trained":
    """The network, trained, and where the settings say so once more on all images."""
    from train.fit.features import FeatureCache
    from train.fit.loop import learn
    from train.fit.refit import Start, refitted

    cache = FeatureCache(attempt.features)
    untrained = network.model.get_weights() if settings.refit else []
    trained = learn(
        settings,
        dataset,
        *rows,
        cache=cache,
        network=network,
        checkpoint=attempt.checkpoint,
        on_epoch=_recorder(attempt),
    )
    if not settings.refit:
        return trained
    start = Start(network, untrained)
    return refitted(settings, dataset, rows, trained, start, cache=cache, checkpoint=attempt.refit_checkpoint)


def _packaged(
    attempt: Attempt, settings: FitSettings, dataset: Dataset, rows: Any, trained: "Trained", started: float
) -> Package:
    """The model package of a finished training. started: by time.monotonic."""
    attempt.write_history(trained.history)
    curves = attempt.folder / CURVES_FILE
    draw_curves(trained.history, trained.best, curves)
    with staged(attempt.package, overwrite=False) as folder:
        return write_package(folder, settings, dataset, rows, trained, curves, time.monotonic() - started)


@contextmanager
def _closed_on_failure(attempt: Attempt) -> Iterator[None]:
    """What is wrong with the training itself would be wrong again: there is nothing to go on with."""
    try:
        yield
    except UsageError:
        attempt.close()
        raise


def _recorder(attempt: Attempt) -> Callable[[Epoch], bool]:
    """Writes history.csv and TensorBoard's log after every epoch."""
    import tensorflow as tf

    saved = attempt.checkpoint.load()
    history = list(saved[0].history) if saved else []
    writers = {
        name: tf.summary.create_file_writer(str(attempt.folder / TENSORBOARD_FOLDER / name))
        for name in ("train", "validation")
    }

    def record(epoch: Epoch) -> bool:
        history.append(epoch)
        attempt.write_history(history)
        values = {
            "train": {"loss": epoch.loss, "accuracy": epoch.accuracy, "learning_rate": epoch.learning_rate},
            "validation": {"loss": epoch.val_loss, "accuracy": epoch.val_accuracy},
        }
        for name, writer in writers.items():
            with writer.as_default(step=len(history)):
                for key, value in values[name].items():
                    tf.summary.scalar(key, value)
            writer.flush()
        return False

    return record


def _summary(
    attempt: Attempt, package: Package, dataset: Dataset, rows: Any, trained: "Trained", seconds: float
) -> dict[str, Any]:
    """Plain JSON values."""
    return {
        "attempt": str(attempt.folder),
        "package": str(attempt.package),
        "model_version": package.version,
        "base_version": package.card.base_version,
        "labels": list(dataset.labels),
        "val_accuracy": package.card.metrics["val_accuracy"],
        "metrics": package.card.metrics,
        "temperature": package.card.temperature,
        "images": {"train": len(rows[0]), "validation": len(rows[1])},
        "skipped": [file.document() for file in dataset.skipped],
        "epochs_run": len(trained.history),
        "best_epoch": trained.history.index(trained.best) + 1,
        "feature_seconds": round(trained.feature_seconds, 1),
        "seconds": round(seconds, 1),
    }
