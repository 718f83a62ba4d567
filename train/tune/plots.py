"""The pictures of a search."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import optuna
from optuna.trial import FrozenTrial, TrialState

from train.report.pages import save_plot
from train.tune.dimension import Parameter
from train.tune.study import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE: Final = "#0a6bb5"
GREY: Final = "#8a949e"
AMBER: Final = "#c43d00"
LEAST_TRIALS: Final = 4
"""Below that many completed ones, nothing is said about importance."""


def importances(record: Record) -> dict[str, float]:
    """Share of each parameter in what tells good trials from the others, largest first; empty where few are done.

    By PED-ANOVA (Watanabe and others, 2023), Optuna's own.
    """
    done = record.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    values = {trial.value for trial in done}
    if len(done) < LEAST_TRIALS or len(values) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # that few trials tell little: the page says so
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(record.study, evaluator=evaluator)
    return {name: round(share, 4) for name, share in found.items()}


def draw_convergence(record: Record, path: Path) -> str:
    """The metric of every trial, the best so far, and the base, as PNG; returns it as a data URI."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    metric = record.search.file.metric
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    done = [trial for trial in record.ended if trial.state == TrialState.COMPLETE]
    pruned = [trial for trial in record.ended if trial.state == TrialState.PRUNED]
    failed = [trial for trial in record.ended if trial.state == TrialState.FAIL]
    _dots(axes, done, metric, "completed", BLUE, BLUE)
    _dots(axes, pruned, metric, "ended early", GREY, "none")
    best, line = None, []
    for trial in done:
        best = trial if best is None or record.rank(trial) < record.rank(best) else best
        line.append((trial.number, best.user_attrs[metric]))
    last = max(trial.number for trial in record.ended)
    line.append((last, line[-1][1]))
    axes.step(*zip(*line, strict=True), where="post", color=AMBER, label="best so far")
    base = record.base()
    if base is not None:
        axes.axhline(base.user_attrs[metric], color="#555555", linestyle="--", linewidth=1, label="base")
    for trial in failed:
        axes.axvline(trial.number, color=GREY, linestyle=":", label="failed" if trial is failed[0] else None)
    axes.set_xlabel("trial")
    axes.set_ylabel(metric.replace("val_", "validation "))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    return save_plot(figure, path)


def draw_importances(found: Mapping[str, float], path: Path) -> str | None:
    """A bar for each parameter, as PNG; None where nothing is known."""
    from matplotlib.figure import Figure

    if not found:
        path.unlink(missing_ok=True)
        return None
    figure = Figure(figsize=(10, 0.9 + 0.34 * len(found)), layout="constrained")
    axes = figure.subplots()
    names = [*found][::-1]
    bars = axes.barh(names, [found[name] for name in names], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlabel("importance (shares of 1)")
    axes.set_xlim(0, max(found.values()) * 1.12)
    axes.spines[["top", "right"]].set_visible(False)
    return save_plot(figure, path)


def draw_slices(record: Record, path: Path) -> str:
    """The metric against each parameter by itself, over the trials that have it, as PNG; returns it as a data URI."""
    from matplotlib.figure import Figure

    metric = record.search.file.metric
    shown = [trial for trial in record.ended if trial.user_attrs.get(metric) is not None]
    entries = [entry for entries in record.search.dimensions.values() for entry in entries]
    parameters = [parameter for entry in entries for parameter in entry.parameters]
    across = min(4, len(parameters))
    down = math.ceil(len(parameters) / across)
    figure = Figure(figsize=(max(6.0, 3.1 * across), 0.3 + 2.5 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    for axes, parameter in zip(grid.flat, parameters, strict=False):
        _slice(axes, parameter, [trial for trial in shown if parameter.name in trial.params], metric)
    for axes in list(grid.flat)[len(parameters) :]:
        axes.set_visible(False)
    figure.supylabel(metric.replace("val_", "validation "), fontsize=10)
    return save_plot(figure, path)


def _slice(axes: "Axes", parameter: Parameter, trials: Sequence[FrozenTrial], metric: str) -> None:
    from matplotlib.ticker import MaxNLocator, NullFormatter

    values: list[Any] = [trial.params[parameter.name] for trial in trials]
    if parameter.choices:
        names = [str(choice) if choice != "" else "none" for choice in parameter.encoded]
        values = [parameter.encoded.index(value) for value in values]
        axes.set_xticks(range(len(names)), [name[:17] for name in names], rotation=25, ha="right", fontsize=8)
        axes.set_xlim(-0.5, len(names) - 0.5)
    else:
        axes.set_xlim(parameter.low, parameter.high)
        if parameter.is_log:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif parameter.is_whole:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    colors = [BLUE if trial.state == TrialState.COMPLETE else GREY for trial in trials]
    axes.scatter(values, [trial.user_attrs[metric] for trial in trials], c=colors, s=16, clip_on=False, zorder=3)
    axes.set_title(parameter.name, fontsize=10)
    axes.grid(alpha=0.3)


def _dots(axes: "Axes", trials: list[FrozenTrial], metric: str, label: str, edge: str, face: str) -> None:
    known = [trial for trial in trials if trial.user_attrs.get(metric) is not None]
    if known:
        ys = [trial.user_attrs[metric] for trial in known]
        axes.scatter([trial.number for trial in known], ys, edgecolors=edge, facecolors=face, label=label, zorder=3)
