"""The curves of a training, for its model card."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from train.fit.checkpoints import Epoch

MOST_MARKED: Final = 60
"""Epochs; more dots than that hide their line."""
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
            if any(epoch.learning_rate for epoch in history):  # a head that was solved has had none
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
