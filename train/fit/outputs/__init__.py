"""The registry of what a training may learn: for each output kind its targets, loss, head, measures and calibration.

A new kind is a file in this folder and an entry here, beside its reading in eoltag.model.outputs.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from train.data.class_weights import judged_weights
from train.data.dataset import Dataset
from train.fit.outputs.classes import CLASSES
from train.fit.outputs.kind import Solved, Targets, TrainedKind
from train.fit.outputs.labels import LABELS
from train.settings import FitSettings

__all__ = ["TRAINED_KINDS", "Solved", "Targets", "TrainedKind", "targets_of"]

TRAINED_KINDS: Final[dict[str, TrainedKind]] = {"classes": CLASSES, "labels": LABELS}
"""Name -> kind, as `output` of the settings says it."""


def targets_of(settings: FitSettings, dataset: Dataset, train: NDArray[np.int64]) -> Targets:
    """What the loss is given of every example of a data set. Raises SettingsError.

    train: rows by which class weights are counted.
    """
    targets = TRAINED_KINDS[settings.output].targets(settings, dataset.answers, dataset.labels, train)
    return Targets(targets.values, targets.weights * judged_weights(settings.judged_weight, dataset))
