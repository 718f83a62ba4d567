"""The registry of what a training may learn: for each output kind its targets, loss, head, measures and calibration.

A new kind is a file in this folder and an entry here, beside its reading in eoltag.model.outputs.
"""

from typing import Final

from train.fit.outputs.classes import CLASSES
from train.fit.outputs.kind import Solved, Targets, TrainedKind
from train.fit.outputs.labels import LABELS

__all__ = ["TRAINED_KINDS", "Solved", "Targets", "TrainedKind"]

TRAINED_KINDS: Final[dict[str, TrainedKind]] = {"classes": CLASSES, "labels": LABELS}
"""Name -> kind, as `output` of the settings says it."""
