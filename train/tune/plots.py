"""Pictures of a search, drawn by Optuna."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning

from train.report.pages import save_plot
from train.tune.study import SearchStudy, outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_TRIALS: Final = 4
"""Below that many completed ones, nothing is said about importance."""


def importances(record: SearchStudy) -> dict[str, float]:
    """Share of each parameter in what tells good trials from the others, largest first; empty where few are done.

    By PED-ANOVA (Watanabe and others, 2023), Optuna's own.
    """
    if len(record.completed) < LEAST_TRIALS or len({trial.value for trial in record.completed}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # that few trials tell little: the page says so
        found = optuna.importance.get_param_importances(record.study, evaluator=_evaluator())
    return {name: round(share, 4) for name, share in found.items()}


def draw_plots(record: SearchStudy, folder: Path, *, has_importances: bool) -> dict[str, str | None]:
    """PNG files in the folder, and the same as data URIs; None for a plot that was not drawn."""
    from optuna.visualization.matplotlib import plot_optimization_history, plot_param_importances, plot_slice

    metric = record.search.file.metric
    study, name = record.study, metric.replace("val_", "validation ")

    def history() -> "Axes":
        axes = plot_optimization_history(study, target_name=name)
        base = record.base()
        if base is not None:
            axes.axhline(outcome(base)[metric], color="#555555", linestyle="--", linewidth=1, label="base")
            axes.legend()
        return axes

    importance_path = folder / "importance.png"
    importance_path.unlink(missing_ok=True)
    return {
        "convergence": _drawn(history, folder / "convergence.png"),
        "importance": _drawn(lambda: plot_param_importances(study, evaluator=_evaluator()), importance_path)
        if has_importances
        else None,
        "slices": _drawn(lambda: plot_slice(study, target_name=name), folder / "slices.png"),
    }


def _drawn(draw: Callable[[], Any], path: Path) -> str:
    """Optuna draws by pyplot; no window is opened for it, and nothing of it stays."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    with warnings.catch_warnings(), pyplot.rc_context({"savefig.bbox": "tight"}):
        warnings.simplefilter("ignore", ExperimentalWarning)  # its plots may change in a later version
        for words in ("Some regimes", "Attempting to set identical"):  # few trials, or one value in all of them
            warnings.filterwarnings("ignore", words, UserWarning)
        figure = np.ravel(draw())[0].figure
        figure.set_figwidth(max(10.0, figure.get_figwidth()))
        uri = save_plot(figure, path)
    pyplot.close(figure)
    return uri


def _evaluator() -> optuna.importance.BaseImportanceEvaluator:
    return optuna.importance.PedAnovaImportanceEvaluator()
