"""What a phase of a training trains, and what it is shown: pictures, or what a frozen base made of them."""

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
from train.fit.multi_step import steps_at_once
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
class Lesson:
    """A network and its inputs by row of the data set."""

    network: Any
    """keras.Model to logits; shares its weights with the whole one."""
    shown: Callable[[Indices, int], Any]
    """Inputs of those rows in epoch 0, 1, ... of the phase."""
    plain: Callable[[Indices], Any]
    """Inputs of those rows as they are."""
    at_once: int = 1
    """Steps that one call of the optimiser may take."""
    is_kept: bool = False
    """The inputs are features in full precision, so that scores cost next to nothing."""


def phases(settings: FitSettings) -> tuple[Phase, ...]:
    """The phases in order. Without a pretrained base there is one, in which everything learns."""
    if not settings.is_frozen_first:
        return (Phase("whole", settings.epochs, settings.learning_rate),)
    head = Phase("head", settings.epochs, settings.learning_rate)
    if not settings.fine_tune_epochs:
        return (head,)
    return head, Phase("fine_tuning", settings.fine_tune_epochs, settings.fine_tune_learning_rate)


def lesson(phase: Phase, settings: FitSettings, network: Network, dataset: Dataset, cache: FeatureCache) -> Lesson:
    """What that phase trains on what; computes the features that it needs."""
    views = 1 if settings.augmentation == "off" else settings.cached_views
    keeps_maps = bool(settings.fine_tune_epochs and views and network.trunk is not None) and cache.has_room(
        network.trunk, len(dataset.pixels), views
    )
    if phase.name == "whole" or (phase.name == "fine_tuning" and not keeps_maps):
        return _of_pictures(phase, network.model, settings, dataset)
    if phase.name == "fine_tuning":
        maps = cache.get("maps", network.trunk, dataset, settings, views)
        upper = keras.Model(network.tail.input, network.head(network.tail.output), name="upper")
        return _of_features(phase, upper, settings, maps)
    if keeps_maps:
        maps = cache.get("maps", network.trunk, dataset, settings, views)
        return _of_features(phase, network.head, settings, cache.further("pooled", network.tail, maps))
    pooled = cache.get("pooled", network.features, dataset, settings, max(1, views))
    if views:
        return _of_features(phase, network.head, settings, pooled)
    return _of_changed_pictures(phase, network, settings, dataset, pooled)


def _of_pictures(phase: Phase, model: Any, settings: FitSettings, dataset: Dataset) -> Lesson:
    def shown(rows: Indices, epoch: int) -> Any:
        return _changed(phase, settings, dataset, rows, epoch)

    return Lesson(model, shown, lambda rows: dataset.pixels[rows])


def _of_features(phase: Phase, network: Any, settings: FitSettings, features: Features) -> Lesson:
    views, images = features.shape[:2]

    def shown(rows: Indices, epoch: int) -> Any:
        view = np.random.default_rng((settings.seed, _number(phase), epoch)).integers(0, views, size=int(images))
        return np.asarray(features[view[rows], rows], np.float32)

    is_row = features.ndim == len(("view", "image", "feature"))
    at_once = steps_at_once(math.prod(features.shape[2:]), settings.batch_size)
    return Lesson(network, shown, lambda rows: np.asarray(features[0, rows], np.float32), at_once, is_kept=is_row)


def _of_changed_pictures(
    phase: Phase, network: Network, settings: FitSettings, dataset: Dataset, pooled: Features
) -> Lesson:
    """The base sees every changed copy anew; it does not learn, so that a fast engine can run it."""
    extract = extractor(network.features, len(dataset.pixels) * phase.epochs)

    def shown(rows: Indices, epoch: int) -> Any:
        return extract_rows(extract, _changed(phase, settings, dataset, rows, epoch))

    return Lesson(network.head, shown, lambda rows: pooled[0, rows], is_kept=True)


def _changed(phase: Phase, settings: FitSettings, dataset: Dataset, rows: Indices, epoch: int) -> Any:
    seed = (settings.seed, _number(phase), epoch)
    return augment(dataset.pixels[rows], settings.augmentation, seed, rows)


def _number(phase: Phase) -> int:
    """Tells the phases' chances apart, and from those of kept views."""
    return {"whole": 1_000_001, "head": 1_000_002, "fine_tuning": 1_000_003}[phase.name]
