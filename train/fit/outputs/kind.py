"""What a training must know of an output kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eoltag.records import Scores
from train.evaluate.labels.calibration import Platt
from train.images.answers import Answers
from train.settings import FitSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Targets:
    """What the loss is given of every example."""

    values: NDArray[np.float32]
    """(N, K); K is the kind's own affair."""
    weights: NDArray[np.float32]
    """(N,)."""

    def part(self, rows: NDArray[np.int64]) -> "Targets":
        """Those of some examples."""
        return Targets(self.values[rows], self.weights[rows])

    def weighted(self, by: NDArray[np.float32]) -> "Targets":
        """The same, each example counting so many times as much, (N,)."""
        return Targets(self.values, self.weights * by)


@dataclass(frozen=True, slots=True)
class Solved:
    """A head of one layer that was solved at once."""

    kernel: NDArray[np.float32]
    """(D, C)."""
    bias: NDArray[np.float32]
    """(C,)."""
    penalties: tuple[float, ...]
    """One for all logits, or one for each."""
    loss: float
    """Mean over what it was solved for."""
    accuracy: float


@dataclass(frozen=True, slots=True)
class TrainedKind:
    """One output kind, as training sees it. N: examples, C: labels."""

    targets: Callable[[FitSettings, Answers, Sequence[str], NDArray[np.int64]], Targets]
    """Of all examples from their answers (N, C) and the labels; class weights are those of the given rows. Raises
    SettingsError for class weights of other labels."""
    loss: Callable[[FitSettings], Any]
    """A keras loss of (targets, logits)."""
    metric: Callable[[], Any]
    """A keras metric of (targets, logits) that is called `accuracy`."""
    solve: Callable[[FitSettings, NDArray[np.float32], Targets], Solved]
    """The best head of one layer for features (views, N, D) and their targets."""
    validate: Callable[[Scores, Answers], tuple[float, float]]
    """Mean loss and accuracy of logits (N, C) as they are."""
    calibrate: Callable[[Scores, Answers], Platt] | None
    """A line for each logit that becomes part of the head; None where the card's temperature does that."""
    measure: Callable[[Scores, Answers, Sequence[str]], dict[str, Any]]
    """For the card's metrics, of logits as the package gives them: val_accuracy, val_loss and what else there is."""
    figure: Callable[[Scores, Answers, Sequence[str]], "Figure"]
    """Which answers it gets right and wrong, for the model card."""
