"""Plots of a model card."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from train.fit.checkpoints import Epoch

MOST_MARKED: Final = 60
"""Epochs; more dots than that hide their line."""
MOST_CELLS_WITH_ZEROS: Final = 10
"""Labels; in a larger matrix zeros hide the mistakes."""
MOST_NUMBERED: Final = 60
"""Labels; in a larger matrix only colours can be told apart."""
TRAINING: Final = "#777777"
VALIDATION: Final = "#0a6bb5"
BEST: Final = "#c43d00"


def draw_curves(history: Sequence[Epoch], best: Epoch, path: Path) -> None:
    """Loss, accuracy and learning rate by epoch, with the phases apart and the best epoch marked, as PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    at = history.index(best)
    dots = {"marker": "o", "markersize": 3} if len(history) <= MOST_MARKED else {}
    for axes, name in zip(figure.subplots(1, 3), ("loss", "accuracy", "learning_rate"), strict=True):
        if name == "learning_rate":
            axes.set_yscale("log")
            _draw_values(axes, history, name, color=TRAINING, **dots)
        else:
            _draw_values(axes, history, name, label="training", color=TRAINING, **dots)
            _draw_values(axes, history, f"val_{name}", label="validation", color=VALIDATION, **dots)
            value = getattr(best, f"val_{name}")
            axes.plot([at + 1], [value], "o", color=BEST, label=f"epoch {at + 1}, kept: {value:.3f}", zorder=3)
            axes.legend(fontsize=9)
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlabel("epoch")
        axes.set_title(name.replace("_", " "), pad=18)
        axes.grid(alpha=0.3)
        _draw_phases(axes, history)
    figure.savefig(path, dpi=110)


def _draw_values(axes: Any, history: Sequence[Epoch], name: str, **look: Any) -> None:
    """One line for each phase, since nothing joins the last value of one to the first of the next."""
    for start, end in _phases(history):
        values = [getattr(epoch, name) for epoch in history[start:end]]
        axes.plot(range(start + 1, end + 1), values, **look)
        look.pop("label", None)


def _draw_phases(axes: Any, history: Sequence[Epoch]) -> None:
    """Where one phase ends and the next begins, and what they are called."""
    found = _phases(history)
    for start, end in found:
        if start:
            axes.axvline(start + 0.5, color="#bbbbbb", linestyle="--", linewidth=1)
        if len(found) > 1:
            middle, name = (start + end + 1) / 2, history[start].phase.replace("_", " ")
            axes.annotate(
                name, (middle, 1), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
                ha="center", fontsize=8, color=TRAINING,
            )  # fmt: skip


def _phases(history: Sequence[Epoch]) -> list[tuple[int, int]]:
    """First position of each phase, and the one behind its last."""
    starts = [at for at in range(len(history)) if not at or history[at].phase != history[at - 1].phase]
    return list(zip(starts, [*starts[1:], len(history)], strict=True))


def draw_confusion(matrix: NDArray[np.int64], labels: Sequence[str], path: Path) -> None:
    """Images by true and predicted label, coloured by the share of the true label, as PNG."""
    from matplotlib.figure import Figure

    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    count = len(labels)
    cell = max(0.2, min(0.65, 26 / count))
    side = 2.2 + cell * count
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(count)
    size = max(4.0, min(10.0, 20 * cell))
    tilt = {"rotation": 40, "ha": "right"} if count <= MOST_CELLS_WITH_ZEROS else {"rotation": 90}
    axes.set_xticks(ticks, labels, fontsize=size, **tilt)
    axes.set_yticks(ticks, labels, fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row, column in np.ndindex(count, count) if count <= MOST_NUMBERED else ():
        if matrix[row, column] or count <= MOST_CELLS_WITH_ZEROS:
            color = "white" if share[row, column] > 0.6 else "black"
            axes.text(
                column, row, str(matrix[row, column]), ha="center", va="center", color=color, fontsize=0.8 * size
            )  # fmt: skip
    figure.savefig(path, dpi=110)
