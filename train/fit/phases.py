"""Phases of a training, and the inputs of each: images, or features that a frozen base made of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from train.architectures import Network
from train.data.augment import augment
from train.data.dataset import Dataset, Indices
from train.fit.features import FeatureCache, Features, extract_rows, extractor
from train.optimization.multi_step import steps_per_execution
from train.settings import FitSettings

PhaseName = Literal["whole", "head", "fine_tuning"]


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of a training, with a learning rate of its own."""

    name: PhaseName
    epochs: int
    """At most."""
    learning_rate: float


@dataclass(frozen=True, slots=True)
class PhaseInputs:
    """The network that a phase trains, and its inputs by row of the data set."""

    network: Any
    """keras.Model to logits; shares its weights with the whole one."""
    train_inputs: Callable[[Indices, int], Any]
    """Inputs of those rows in epoch 0, 1, ... of the phase, augmented."""
    eval_inputs: Callable[[Indices], Any]
    """Inputs of those rows as they are."""
    steps_per_execution: int = 1
    """Steps that one call of the optimiser may take."""
    is_precomputed: bool = False
    """The inputs are features in full precision, so that scores cost next to nothing."""
    features: Features | None = None
    """All that the phase ever sees, (views, N, D), where that is known and the head can be solved at once."""


def phases(settings: FitSettings) -> tuple[Phase, ...]:
    """The phases in order. Without a pretrained base there is one, in which everything learns."""
    if not settings.is_frozen_first:
        return (Phase("whole", settings.epochs, settings.learning_rate),)
    head = Phase("head", settings.epochs, settings.learning_rate)
    if not settings.fine_tune_epochs:
        return (head,)
    return head, Phase("fine_tuning", settings.fine_tune_epochs, settings.fine_tune_learning_rate)


def phase_inputs(
    phase: Phase, settings: FitSettings, network: Network, dataset: Dataset, cache: FeatureCache
) -> PhaseInputs:
    """The network and inputs of that phase; computes the features that it needs, where they are not stored."""
    if dataset.vectors is not None:
        return _feature_inputs(phase, network.head, settings, dataset.vectors[None])
    views = 1 if settings.augmentation == "off" else settings.cached_views
    keeps_maps = bool(settings.fine_tune_epochs and views and network.trunk is not None) and cache.has_room(
        network.trunk, len(dataset.pixels), views
    )
    if phase.name == "whole" or (phase.name == "fine_tuning" and not keeps_maps):
        return _image_inputs(phase, network.model, settings, dataset)
    if phase.name == "fine_tuning":
        maps = cache.get("maps", network.trunk, dataset, settings, views)
        upper = keras.Model(network.tail.input, network.head(network.tail.output), name="upper")
        return _feature_inputs(phase, upper, settings, maps)
    if keeps_maps:
        maps = cache.get("maps", network.trunk, dataset, settings, views)
        return _feature_inputs(phase, _learner(network), settings, cache.continued("pooled", network.tail, maps))
    pooled = cache.get("pooled", network.features, dataset, settings, max(1, views))
    if views:
        return _feature_inputs(phase, _learner(network), settings, pooled)
    return _augmented_feature_inputs(phase, network, settings, dataset, pooled)


def _image_inputs(phase: Phase, model: Any, settings: FitSettings, dataset: Dataset) -> PhaseInputs:
    def train_inputs(rows: Indices, epoch: int) -> Any:
        return _changed(phase, settings, dataset, rows, epoch)

    return PhaseInputs(model, train_inputs, lambda rows: dataset.pixels[rows])


def _feature_inputs(phase: Phase, network: Any, settings: FitSettings, features: Features) -> PhaseInputs:
    views, images = features.shape[:2]

    def train_inputs(rows: Indices, epoch: int) -> Any:
        view = np.random.default_rng((settings.seed, _number(phase), epoch)).integers(0, views, size=int(images))
        return np.asarray(features[view[rows], rows], np.float32)

    is_row = features.ndim == len(("view", "image", "feature"))
    steps = steps_per_execution(math.prod(features.shape[2:]), settings.batch_size)
    return PhaseInputs(
        network,
        train_inputs,
        lambda rows: np.asarray(features[0, rows], np.float32),
        steps,
        is_precomputed=is_row,
        features=features if is_row and phase.name == "head" and settings.has_solvable_head else None,
    )


def _augmented_feature_inputs(
    phase: Phase, network: Network, settings: FitSettings, dataset: Dataset, pooled: Features
) -> PhaseInputs:
    """Features of new augmented copies in every epoch; the base does not learn, so that a fast engine can run it."""
    extract = extractor(network.features, len(dataset.pixels) * phase.epochs)

    def train_inputs(rows: Indices, epoch: int) -> Any:
        return extract_rows(extract, _changed(phase, settings, dataset, rows, epoch))

    return PhaseInputs(_learner(network), train_inputs, lambda rows: pooled[0, rows], is_precomputed=True)


def _learner(network: Network) -> Any:
    """The head as a model of its own, for the optimiser: compiled itself, it would carry that into the package."""
    return keras.Model(network.head.input, network.head.output, name="head_in_training")


def _changed(phase: Phase, settings: FitSettings, dataset: Dataset, rows: Indices, epoch: int) -> Any:
    seed = (settings.seed, _number(phase), epoch)
    return augment(dataset.pixels[rows], settings.augmentation, seed, rows)


def _number(phase: Phase) -> int:
    """A seed for each phase, other than those of cached views."""
    return {"whole": 1_000_001, "head": 1_000_002, "fine_tuning": 1_000_003}[phase.name]
