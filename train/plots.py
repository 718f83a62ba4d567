"""The pictures of a model card."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from train.checkpoints import Epoch
from train.metrics import Counts

if TYPE_CHECKING:
    from eoltag.cartoon import Cartoonization


def draw_curves(history: Sequence[Epoch], best: Epoch, path: Path) -> None:
    """Loss, accuracy and learning rate by epoch, with the phases apart and the best epoch marked, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    epochs = np.arange(1, len(history) + 1)
    for axes, name in zip(figure.subplots(1, 3), ("loss", "accuracy", "learning_rate"), strict=True):
        axes.plot(epochs, [getattr(epoch, name) for epoch in history], label="training", color="#777777")
        if name == "learning_rate":
            axes.set_yscale("log")
        else:
            shown = [getattr(epoch, f"val_{name}") for epoch in history]
            axes.plot(epochs, shown, label="validation", color="#0a6bb5", marker="o", markersize=3)
            at = history.index(best)
            axes.plot([at + 1], [shown[at]], "o", color="#c43d00", label=f"best, {shown[at]:.3f}")
            axes.legend()
        for at in range(1, len(history)):
            if history[at].phase != history[at - 1].phase:
                axes.axvline(at + 0.5, color="#bbbbbb", linestyle="--")
        axes.set_xlabel("epoch")
        axes.set_title(name.replace("_", " "))
        if len(history) > 1:
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def draw_confusion(matrix: Counts, labels: Sequence[str], path: Path) -> None:
    """Images by true and predicted label, coloured by the share of the true label, as PNG."""
    from matplotlib.figure import Figure

    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.65 * len(labels)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(len(labels))
    axes.set_xticks(ticks, labels, rotation=40, ha="right")
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row in range(len(labels)):
        for column in range(len(labels)):
            color = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=color)
    figure.savefig(path, dpi=110)


def draw_norms(norms: Sequence["Cartoonization"], label: str, threshold: float, path: Path) -> None:
    """Histograms of the four norms of one class, 15 bins each, with the threshold of mnorm_pp, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    figure.suptitle(f"{label}: change of hue in the cartoon ({len(norms)} images)")
    titles = {
        "mnorm": "Manhattan norm",
        "mnorm_pp": "Manhattan norm per value",
        "znorm": "zero norm",
        "znorm_pp": "zero norm per value",
    }
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, titles.items(), strict=True):
        axes.hist([getattr(norm, name) for norm in norms], bins=15, color="#c9a227")
        axes.set_title(f"{title} ({name})")
        axes.set_ylabel("images")
        axes.grid(alpha=0.3)
        if name == "mnorm_pp":
            axes.axvline(threshold, color="black", linestyle="dashed", linewidth=1, label=f"threshold {threshold:g}")
            axes.legend()
    figure.savefig(path, dpi=110)
