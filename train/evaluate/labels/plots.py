"""The pictures of a model of several labels. Each function returns a figure."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from train.evaluate.plots import BARS, FAINT, MOST_PANELS, RIGHT, WRONG
from train.images.answers import Answers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scores_figure(probabilities: NDArray[np.floating[Any]], answers: Answers, labels: Sequence[str]) -> "Figure":
    """For each label the probabilities of images that show it, above the line, and of those that do not, below it.

    Both (N, C); the first MOST_PANELS labels are drawn.
    """
    from matplotlib.figure import Figure

    drawn = list(labels)[:MOST_PANELS]
    across = min(3, len(drawn))
    down = ceil(len(drawn) / across)
    figure = Figure(figsize=(3.7 * across, 0.5 + 2.2 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    edges = np.linspace(0, 1, BARS + 1)
    middles, width = (edges[:-1] + edges[1:]) / 2, (edges[1] - edges[0]) * 0.92
    for at, label in enumerate(drawn):
        shown, other = (np.histogram(probabilities[answers[:, at] == answer, at], edges)[0] for answer in (1, 0))
        axes = panels[at]
        axes.bar(middles, shown, width, color=RIGHT, label="shows it")
        axes.bar(middles, -other, width, color=WRONG, label="does not")
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.set_title(f"{label}: {shown.sum()} show it, {other.sum()} do not", fontsize=9)
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        axes.tick_params(labelsize=8)
    for empty in panels[len(drawn) :]:
        empty.set_visible(False)
    panels[0].legend(fontsize=7)
    figure.supxlabel("probability", fontsize=9)
    return figure
