"""The training loop: epochs of every phase, validation, early stopping, checkpoints."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from tqdm import tqdm

from eoltag.errors import DataError
from eoltag.records import Scores
from train.architectures import Network, build
from train.cli import log
from train.data.class_weights import judged_weights
from train.data.dataset import Dataset, Indices
from train.fit.checkpoints import Checkpoint, Epoch, State, merit
from train.fit.features import FeatureCache, Features, predict_rows
from train.fit.outputs import TRAINED_KINDS, Targets, TrainedKind
from train.fit.phases import Phase, PhaseInputs, phase_inputs, phases
from train.images.answers import Answers
from train.optimization.averaging import averaged_weights
from train.optimization.multi_step import StepExecutor
from train.optimization.optimizer import learning_rate, make_optimizer
from train.optimization.precise_bn import batch_norms_of, recalibrate_batch_norm
from train.optimization.seeding import make_repeatable, reseed
from train.settings import FitSettings

VALIDATION_BATCH: Final = 64

Log = Callable[[str], None]
OnEpoch = Callable[[Epoch], bool]
"""Told after every epoch; True ends the training with the best epoch so far, what it raises comes through."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with its best weights."""

    model: Any
    """keras.Model: uint8 (N, H, W, 3) -> logits (N, C); see Network.model."""
    history: tuple[Epoch, ...]
    best: Epoch
    """The epoch whose weights these are."""
    feature_seconds: float
    """Spent on computing features."""
    scores: Scores | None = None
    """Logits of the validation images (V, C) from cached features; None where only the images give them."""
    held_out: Scores | None = None
    """The same from before a refit, which learned from these images too; None where there was none."""


@dataclass(slots=True)
class _Run:
    """A training: what does not change while it runs, and its state."""

    settings: FitSettings
    dataset: Dataset
    train: Indices
    validation: Indices
    kind: TrainedKind
    answers: Answers
    """What is known of every example, (N, C)."""
    targets: Targets
    """The same as the loss takes it."""
    state: State
    checkpoint: Checkpoint | None
    on_epoch: OnEpoch | None
    log: Log
    lengths: Mapping[str, int] | None
    """Phase -> its epochs, where they are given; None where validation decides."""

    def epochs_of(self, phase: Phase) -> int:
        """How many epochs a phase takes, at most."""
        return phase.epochs if self.lengths is None else self.lengths[phase.name]


def start_network(settings: FitSettings, classes: int, feature_length: int = 0) -> Network:
    """A fresh network, the same for the same seed. Raises SettingsError where its weights cannot be loaded.

    feature_length: see train.architectures.build.
    """
    keras.backend.clear_session()
    make_repeatable(settings.seed)
    return build(settings, classes, feature_length)


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
    log: Log = log,
    lengths: Mapping[str, int] | None = None,
) -> Trained:
    """Train until the epochs or the patience of every phase are used up. Same seed, same weights on CPU.

    network: from start_network with the same settings, else made here. checkpoint: goes on from it where it holds a
    training of these settings. log: is given a line after every epoch. lengths: epochs of each phase, which then ends
    with its last one; phases that are not named are left out, and nothing is validated. Raises DataError where the
    training diverges or stays below min_accuracy.
    """
    network = network or start_network(settings, len(dataset.labels))
    saved = checkpoint.load() if checkpoint else None
    state, arrays = saved or (State(), {})
    kind, answers = TRAINED_KINDS[settings.output], dataset.answers
    by_person = judged_weights(settings.judged_weight, dataset.is_judged)
    targets = kind.targets(settings, answers, dataset.labels, train).weighted(by_person)
    run = _Run(settings, dataset, train, validation, kind, answers, targets, state, checkpoint, on_epoch, log, lengths)
    plan = [phase for phase in phases(settings) if lengths is None or phase.name in lengths]
    for number in range(state.phase, len(plan)):
        if state.phase != number:
            arrays = {}
            state.phase, state.epoch, state.is_phase_over = number, 0, False
            state.waited, state.since_cut, state.rate_factor = 0, 0, 1.0
        source = phase_inputs(plan[number], settings, network, dataset, cache)
        if state.is_phase_over:
            source.network.set_weights(arrays["current"])
        elif source.features is not None:
            if _solve_phase(run, plan[number], source, source.features):
                break
        elif _run_phase(run, plan[number], source, arrays):
            break
        if lengths is None:
            _check_accuracy(run)
    scores = _scores(run, source) if source.is_precomputed and lengths is None else None
    return Trained(network.model, tuple(state.history), state.history[state.best_at], cache.seconds, scores)


def _solve_phase(run: _Run, phase: Phase, source: PhaseInputs, features: Features) -> bool:
    """Give the head its best weights at once: one line of the history. True where on_epoch ended the training."""
    started, settings, state = time.monotonic(), run.settings, run.state
    found = run.kind.solve(settings, np.asarray(features[:, run.train]), run.targets.part(run.train))
    source.network.get_layer("logits").set_weights([found.kernel, found.bias])
    seconds = round(time.monotonic() - started, 3)
    state.epoch = 1
    epoch = Epoch(phase.name, 1, found.loss, found.accuracy, *_validate(run, source), 0.0, seconds)
    _note_epoch(run, epoch)
    state.is_phase_over = True
    penalties = ", ".join(f"{one:.2g}" for one in found.penalties)
    run.log(f"head solved with a penalty of {penalties}: {_figures(run, epoch)}")
    is_stopped = run.on_epoch is not None and bool(run.on_epoch(epoch))
    if run.checkpoint is not None:
        run.checkpoint.save(state, current=source.network.get_weights())
    return is_stopped


def _run_phase(run: _Run, phase: Phase, source: PhaseInputs, arrays: dict[str, Any]) -> bool:
    """Train one phase, leaving its best weights in the network. True where on_epoch ended the training."""
    settings, state, network = run.settings, run.state, source.network
    optimizer = _compiled(network, run)
    executor = StepExecutor(network)
    best = network.get_weights()
    if arrays:
        best = arrays["best"]
        network.set_weights(arrays["current"])
        for variable, value in zip(optimizer.variables, arrays["optimizer"], strict=True):
            variable.assign(value)
    is_stopped = False
    with _progress_bar(run, phase) as bar, ThreadPoolExecutor(1) as ahead:
        while state.epoch < run.epochs_of(phase) and not is_stopped and state.waited < settings.early_stopping_patience:
            epoch, kept = _run_epoch(run, phase, source, executor, ahead, bar)
            best = kept or best
            if run.on_epoch is not None:
                is_stopped = bool(run.on_epoch(epoch))
            if run.checkpoint is not None:
                run.checkpoint.save(
                    state,
                    current=network.get_weights(),
                    optimizer=[np.asarray(variable) for variable in optimizer.variables],
                    best=best if kept or state.epoch == 1 else [],
                )
    network.set_weights(best)
    state.is_phase_over = True
    if run.checkpoint is not None:
        run.checkpoint.save(state, current=best)
    return is_stopped


def _compiled(network: Any, run: _Run) -> Any:
    """Compile the network; returns its fresh optimiser."""
    optimizer = make_optimizer(run.settings)
    network.compile(
        optimizer=optimizer,
        loss=run.kind.loss(run.settings),
        metrics=[run.kind.metric()],
        jit_compile=False,  # XLA's convolutions are slower on CPUs, and compiling takes longer than small trainings
    )
    optimizer.build(network.trainable_variables)
    return optimizer


def _progress_bar(run: _Run, phase: Phase) -> "tqdm[Any]":
    batches = math.ceil(len(run.train) / run.settings.batch_size)
    return tqdm(
        total=phase.epochs * batches, initial=run.state.epoch * batches, unit="batch", desc=phase.name, disable=None,
        leave=False,
    )  # fmt: skip


def _run_epoch(
    run: _Run, phase: Phase, source: PhaseInputs, executor: StepExecutor, ahead: ThreadPoolExecutor, bar: "tqdm[Any]"
) -> tuple[Epoch, list[Any] | None]:
    """One pass over the training images, then the validation images; the weights, where they are the best so far."""
    started, settings, state = time.monotonic(), run.settings, run.state
    loss, accuracy, rate = _train_epoch(run, phase, source, executor, ahead, bar)
    val_loss, val_accuracy, learned = math.nan, 0.0, None
    if math.isfinite(loss):
        with averaged_weights(source.network):
            if phase.name == "whole" and settings.norm_images:
                _recalibrate(run, source)
            val_loss, val_accuracy = _validate(run, source)
            learned = source.network.get_weights()
    if not math.isfinite(loss) or (run.lengths is None and not math.isfinite(val_loss)):
        raise DataError(
            f"training diverged in epoch {state.epoch + 1} of the phase '{phase.name}': the loss is no longer a "
            f"number; wanted a lower learning rate than {phase.learning_rate:g}"
        )
    state.epoch += 1
    seconds = round(time.monotonic() - started, 3)
    epoch = Epoch(phase.name, state.epoch, loss, accuracy, val_loss, val_accuracy, rate, seconds)
    is_better = _note_epoch(run, epoch)
    best = ", best so far" if is_better and run.lengths is None else ""
    run.log(f"{phase.name} epoch {state.epoch}/{run.epochs_of(phase)}: {_figures(run, epoch)}{best}")
    return epoch, learned if is_better else None


def _train_epoch(
    run: _Run, phase: Phase, source: PhaseInputs, executor: StepExecutor, ahead: ThreadPoolExecutor, bar: "tqdm[Any]"
) -> tuple[float, float, float]:
    """One pass over the training images; its mean loss and accuracy, and the last learning rate."""
    settings, state = run.settings, run.state
    reseed(source.network, (settings.seed, state.phase, state.epoch))
    batches = math.ceil(len(run.train) / settings.batch_size)
    sums, step, rates = np.zeros(2), state.epoch * batches, [0.0]
    for rows, inputs in _batches(run, source, ahead):
        rates = [
            learning_rate(settings, phase.learning_rate, at, batches, phase.epochs) * state.rate_factor
            for at in range(step, step + math.ceil(len(rows) / settings.batch_size))
        ]
        sums += np.array(executor.run(inputs, run.targets.values[rows], run.targets.weights[rows], rates)) * len(rows)
        if not math.isfinite(sums[0]):
            break
        step += len(rates)
        bar.update(len(rates))
    loss, accuracy = (sums / len(run.train)).tolist()
    return loss, accuracy, rates[-1]


def _batches(run: _Run, source: PhaseInputs, ahead: ThreadPoolExecutor) -> Iterator[tuple[Indices, Any]]:
    """Rows and inputs of this epoch, in its own order; the next are made while the last ones are learned.

    A batch, or as many whole ones as one execution takes.
    """
    seed = (run.settings.seed, run.state.phase, run.state.epoch)
    order = np.random.default_rng(seed).permutation(run.train)
    size, epoch = run.settings.batch_size, run.state.epoch
    whole = len(order) - len(order) % size
    starts = [*range(0, whole, size * source.steps_per_execution), *([whole] if whole < len(order) else [])]
    waiting = None
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        rows = order[start:end]
        made = (rows, ahead.submit(source.train_inputs, rows, epoch))
        if waiting is not None:
            yield waiting[0], waiting[1].result()
        waiting = made
    if waiting is not None:
        yield waiting[0], waiting[1].result()


def _recalibrate(run: _Run, source: PhaseInputs) -> None:
    """Give batch normalisation the averages of training images as they are, the same ones in every epoch."""
    if not batch_norms_of(source.network):
        return
    rows = np.random.default_rng(run.settings.seed).permutation(run.train)[: run.settings.norm_images]
    parts = np.array_split(rows, math.ceil(len(rows) / VALIDATION_BATCH))
    recalibrate_batch_norm(source.network, (source.eval_inputs(each) for each in parts))


def _validate(run: _Run, source: PhaseInputs) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of the validation images, as they are; no numbers where nothing is validated."""
    if run.lengths is not None:
        return math.nan, math.nan
    return run.kind.validate(_scores(run, source), run.answers[run.validation])


def _scores(run: _Run, source: PhaseInputs) -> Scores:
    """Logits of the validation images, as they are."""
    starts = range(0, len(run.validation), VALIDATION_BATCH)
    pieces = [run.validation[start : start + VALIDATION_BATCH] for start in starts]
    return np.concatenate([predict_rows(source.network, source.eval_inputs(rows), VALIDATION_BATCH) for rows in pieces])


def _note_epoch(run: _Run, epoch: Epoch) -> bool:
    """Update the state after an epoch; True where its weights are to be kept: the best of all phases so far."""
    settings, state = run.settings, run.state
    state.history.append(epoch)
    value = merit(epoch, settings.best_by)
    if run.lengths is not None or state.best is None or value > state.best:
        state.best, state.best_at, state.waited, state.since_cut = value, len(state.history) - 1, 0, 0
        return True
    state.waited += 1
    state.since_cut += 1
    if settings.schedule == "plateau" and state.since_cut >= settings.plateau_patience:
        state.rate_factor *= settings.plateau_factor
        state.since_cut = 0
    return False


def _figures(run: _Run, epoch: Epoch) -> str:
    """Loss and accuracy as text."""
    learned = f"loss {epoch.loss:.3f}, accuracy {epoch.accuracy:.3f}"
    validated = f", val_loss {epoch.val_loss:.3f}, val_accuracy {epoch.val_accuracy:.3f}"
    return learned + (validated if run.lengths is None else "")


def _check_accuracy(run: _Run) -> None:
    best = max(epoch.val_accuracy for epoch in run.state.history)
    if best < run.settings.min_accuracy:
        raise DataError(
            f"validation accuracy: wanted min_accuracy {run.settings.min_accuracy:g} or more. Received: {best:.3f} "
            f"after the phase '{run.state.history[-1].phase}'; no package was made"
        )
