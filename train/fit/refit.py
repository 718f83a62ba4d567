"""Refit: a training once more on the validation images as well, for as long as they have shown to be best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from train.cli import log
from train.data.dataset import Dataset, Indices
from train.fit.calibrating import validation_logits
from train.fit.checkpoints import Checkpoint, Epoch, merit
from train.fit.features import FeatureCache
from train.settings import FitSettings

if TYPE_CHECKING:
    from train.architectures import Network
    from train.fit.loop import Trained


@dataclass(frozen=True, slots=True)
class Start:
    """A network, and the weights that a training of it begins with."""

    network: "Network"
    weights: list[Any]
    """Those of its whole model."""


def refitted(
    settings: FitSettings,
    dataset: Dataset,
    rows: tuple[Indices, Indices],
    first: "Trained",
    start: Start,
    *,
    cache: FeatureCache,
    checkpoint: Checkpoint | None = None,
) -> "Trained":
    """The training that learned from all images; history, best epoch and `held_out` are those of the first one.

    rows: those that the first one learned from, and validated with. start: of the first one.
    """
    from train.fit.loop import learn

    held_out = validation_logits(first, dataset, rows[1])  # before its network begins anew
    start.network.model.set_weights(start.weights)
    lengths = best_lengths(first.history, first.best, settings.best_by)
    everything = np.sort(np.concatenate(rows))
    log(f"refit on all {len(everything)} images: " + ", ".join(f"{name} {epochs}" for name, epochs in lengths.items()))
    again = learn(
        settings,
        dataset,
        everything,
        rows[1],
        cache=cache,
        network=start.network,
        checkpoint=checkpoint,
        log=lambda line: log(f"refit: {line}"),
        lengths=lengths,
    )
    return replace(first, model=again.model, scores=None, feature_seconds=again.feature_seconds, held_out=held_out)


def best_lengths(history: Sequence[Epoch], best: Epoch, best_by: str) -> dict[str, int]:
    """Phase -> epochs up to its best one, which the next phase began with. What came after the best of all is left
    out."""
    until = history[: history.index(best) + 1]
    phases = dict.fromkeys(epoch.phase for epoch in until)
    return {
        phase: max((epoch for epoch in until if epoch.phase == phase), key=lambda epoch: merit(epoch, best_by)).epoch
        for phase in phases
    }
