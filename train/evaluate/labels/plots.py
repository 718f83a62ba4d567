"""The pictures of a model of several labels. Each function returns a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from train.evaluate.plots import BARS, MOST_PANELS, mirrored, panels
from train.images.answers import Answers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scores_figure(probabilities: NDArray[np.floating[Any]], answers: Answers, labels: Sequence[str]) -> "Figure":
    """For each label the probabilities of images that show it, above the line, and of those that do not, below it.

    Both (N, C); the first MOST_PANELS labels are drawn.
    """
    drawn = list(labels)[:MOST_PANELS]
    figure, axes = panels(len(drawn), 3.7, 2.2)
    edges = np.linspace(0, 1, BARS + 1)
    for at, label in enumerate(drawn):
        shown, other = (np.histogram(probabilities[answers[:, at] == answer, at], edges)[0] for answer in (1, 0))
        mirrored(axes[at], edges, shown, other, ("shows it", "does not"))
        axes[at].set_title(f"{label}: {shown.sum()} show it, {other.sum()} do not", fontsize=9)
    axes[0].legend(fontsize=7)
    figure.supxlabel("probability", fontsize=9)
    return figure
