"""The training loop: a network, a data set, weights."""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from eoltag.errors import DataError
from train.architectures import Network, build
from train.balancing import loss_weights
from train.checkpoints import Checkpoint, Epoch, State
from train.command import say
from train.dataset import Dataset, Indices
from train.features import FeatureCache, predict_rows
from train.lessons import Lesson, Phase, lesson, phases
from train.optimizers import make_optimizer
from train.pacing import learning_rate
from train.settings import FitSettings

VALIDATION_BATCH: Final = 64

Tell = Callable[[str], None]
OnEpoch = Callable[[Epoch], bool]
"""Told after every epoch; True ends the training with the best epoch so far, what it raises comes through."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with its best weights."""

    model: Any
    """keras.Model: uint8 (N, H, W, 3) -> logits (N, C)."""
    history: tuple[Epoch, ...]
    best: Epoch
    """The epoch whose weights these are."""
    feature_seconds: float
    """Spent on what the frozen base made of the images."""


@dataclass(slots=True)
class _Run:
    """What does not change while a training runs, and where it stands."""

    settings: FitSettings
    dataset: Dataset
    train: Indices
    validation: Indices
    targets: NDArray[np.float32]
    """One-hot, (N, C)."""
    weights: NDArray[np.float32]
    """Of each example in the loss, (N,)."""
    state: State
    checkpoint: Checkpoint | None
    on_epoch: OnEpoch | None
    tell: Tell


def start_network(settings: FitSettings, classes: int) -> Network:
    """A fresh network, the same for the same seed. Raises SettingsError where its weights cannot be loaded."""
    keras.backend.clear_session()
    make_repeatable(settings.seed)
    return build(settings, classes)


def learn(
    settings: FitSettings,
    dataset: Dataset,
    train: Indices,
    validation: Indices,
    *,
    cache: FeatureCache,
    network: Network | None = None,
    checkpoint: Checkpoint | None = None,
    on_epoch: OnEpoch | None = None,
    tell: Tell = say,
) -> Trained:
    """Train until the epochs or the patience of every phase are used up. Same seed, same weights on CPU.

    network: from start_network with the same settings, else made here. checkpoint: goes on from it where it holds a
    training of these settings. tell: is given a line after every epoch. Raises DataError where the training diverges
    or stays below min_accuracy.
    """
    network = network or start_network(settings, len(dataset.labels))
    saved = checkpoint.load() if checkpoint else None
    state, arrays = saved or (State(), {})
    targets = np.eye(len(dataset.labels), dtype=np.float32)[dataset.targets]
    weights = loss_weights(settings.class_weights, dataset, train)
    run = _Run(settings, dataset, train, validation, targets, weights, state, checkpoint, on_epoch, tell)
    plan = phases(settings)
    for number in range(state.phase, len(plan)):
        if state.phase != number:
            arrays = {}
            state.phase, state.epoch, state.is_phase_over = number, 0, False
            state.waited, state.since_cut, state.rate_factor = 0, 0, 1.0
        part = lesson(plan[number], settings, network, dataset, cache)
        if state.is_phase_over:
            part.network.set_weights(arrays["current"])
        elif _run_phase(run, plan[number], part, arrays):
            break
        _check_accuracy(run)
    return Trained(network.model, tuple(state.history), state.history[state.best_at], cache.seconds)


def make_repeatable(seed: int) -> None:
    """Fix every source of chance, and have TensorFlow add up in a fixed order."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        tf.get_logger().setLevel("ERROR")  # it warns of networks that are compiled for the first time


def _run_phase(run: _Run, phase: Phase, part: Lesson, arrays: dict[str, Any]) -> bool:
    """Train one phase, leaving its best weights in the network. True where on_epoch ended the training."""
    settings, state, network = run.settings, run.state, part.network
    optimizer = make_optimizer(settings)
    network.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # XLA's convolutions are slower on CPUs, and compiling takes longer than small trainings
    )
    optimizer.build(network.trainable_variables)
    best = network.get_weights()
    if arrays:
        best = arrays["best"]
        network.set_weights(arrays["current"])
        for variable, value in zip(optimizer.variables, arrays["optimizer"], strict=True):
            variable.assign(value)
    batches = math.ceil(len(run.train) / settings.batch_size)
    bar = tqdm(
        total=phase.epochs * batches, initial=state.epoch * batches, unit="batch", desc=phase.name, disable=None,
        leave=False,
    )  # fmt: skip
    is_stopped = False
    with bar, ThreadPoolExecutor(1) as ahead:
        while state.epoch < phase.epochs and not is_stopped and state.waited < settings.early_stopping_patience:
            is_better, epoch = _run_epoch(run, phase, part, ahead, bar)
            best = network.get_weights() if is_better else best
            if run.on_epoch is not None:
                is_stopped = bool(run.on_epoch(epoch))
            if run.checkpoint is not None:
                run.checkpoint.save(
                    state,
                    current=network.get_weights(),
                    optimizer=[np.asarray(variable) for variable in optimizer.variables],
                    best=best if is_better or state.epoch == 1 else [],
                )
    network.set_weights(best)
    state.is_phase_over = True
    if run.checkpoint is not None:
        run.checkpoint.save(state, current=best)
    return is_stopped


def _run_epoch(
    run: _Run, phase: Phase, part: Lesson, ahead: ThreadPoolExecutor, bar: "tqdm[Any]"
) -> tuple[bool, Epoch]:
    """One pass over the training images, then the validation images; whether it was the best so far."""
    started = time.monotonic()
    settings, state = run.settings, run.state
    reseed(part.network, (settings.seed, state.phase, state.epoch))
    batches = math.ceil(len(run.train) / settings.batch_size)
    sums, rate = np.zeros(2), 0.0
    for number, (rows, inputs) in enumerate(_batches(run, part, ahead)):
        step = state.epoch * batches + number
        rate = learning_rate(settings, phase.learning_rate, step, batches, phase.epochs) * state.rate_factor
        part.network.optimizer.learning_rate = rate
        logs = part.network.train_on_batch(inputs, run.targets[rows], run.weights[rows], return_dict=True)
        sums += np.array([float(logs["loss"]), float(logs["accuracy"])]) * len(rows)
        if not math.isfinite(sums[0]):
            break
        bar.update()
    loss, accuracy = (sums / len(run.train)).tolist()
    val_loss, val_accuracy = _validate(run, part) if math.isfinite(loss) else (math.nan, 0.0)
    if not math.isfinite(loss) or not math.isfinite(val_loss):
        raise DataError(
            f"training diverged in epoch {state.epoch + 1} of the phase '{phase.name}': the loss is no longer a "
            f"number; wanted a lower learning rate than {phase.learning_rate:g}"
        )
    state.epoch += 1
    seconds = round(time.monotonic() - started, 3)
    epoch = Epoch(phase.name, state.epoch, loss, accuracy, val_loss, val_accuracy, rate, seconds)
    state.history.append(epoch)
    is_better = _judge(settings, state, epoch)
    run.tell(
        f"{phase.name} epoch {state.epoch}/{phase.epochs}: loss {loss:.3f}, accuracy {accuracy:.3f}, "
        f"val_loss {val_loss:.3f}, val_accuracy {val_accuracy:.3f}{', best so far' if is_better else ''}"
    )
    return is_better, epoch


def _batches(run: _Run, part: Lesson, ahead: ThreadPoolExecutor) -> Iterator[tuple[Indices, Any]]:
    """Rows and inputs of this epoch, in its own order; the next batch is made while the last one is learned."""
    seed = (run.settings.seed, run.state.phase, run.state.epoch)
    order = np.random.default_rng(seed).permutation(run.train)
    size, epoch = run.settings.batch_size, run.state.epoch
    waiting = None
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        made = (rows, ahead.submit(part.shown, rows, epoch))
        if waiting is not None:
            yield waiting[0], waiting[1].result()
        waiting = made
    if waiting is not None:
        yield waiting[0], waiting[1].result()


def _validate(run: _Run, part: Lesson) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of the validation images, as they are."""
    total, hits = 0.0, 0
    for start in range(0, len(run.validation), VALIDATION_BATCH):
        rows = run.validation[start : start + VALIDATION_BATCH]
        logits = predict_rows(part.network, part.plain(rows), VALIDATION_BATCH).astype(np.float64)
        highest = logits.max(axis=1, keepdims=True)
        logs = logits - highest - np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
        truth = run.dataset.targets[rows]
        total -= float(logs[np.arange(len(rows)), truth].sum())
        hits += int((logits.argmax(axis=1) == truth).sum())
    return total / len(run.validation), hits / len(run.validation)


def _judge(settings: FitSettings, state: State, epoch: Epoch) -> bool:
    """Take note of an epoch: is it the best of all phases so far?"""
    value = epoch.val_accuracy if settings.best_by == "val_accuracy" else -epoch.val_loss
    is_better = state.best is None or value > state.best
    if is_better:
        state.best, state.best_at, state.waited, state.since_cut = value, len(state.history) - 1, 0, 0
        return True
    state.waited += 1
    state.since_cut += 1
    if settings.schedule == "plateau" and state.since_cut >= settings.plateau_patience:
        state.rate_factor *= settings.plateau_factor
        state.since_cut = 0
    return False


def _check_accuracy(run: _Run) -> None:
    best = max(epoch.val_accuracy for epoch in run.state.history)
    if best < run.settings.min_accuracy:
        raise DataError(
            f"validation accuracy: wanted min_accuracy {run.settings.min_accuracy:g} or more. Received: {best:.3f} "
            f"after the phase '{run.state.history[-1].phase}'; no package was made"
        )


def reseed(network: Any, seed: tuple[int, ...]) -> None:
    """Set the state of every random layer, so that an epoch does not depend on how many others were run here."""
    for number, layer in enumerate(_layers(network)):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            drawn = np.random.default_rng((*seed, number)).integers(0, 2**31, 2)
            generator.state.assign(drawn.astype(np.uint32))


def _layers(network: Any) -> Iterator[Any]:
    for layer in network.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
