"""Chosen thresholds as a folder: a page with the curves, the same as JSON, the plots as PNG."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eoltag.audit.risk_control import RiskCurve
from train.evaluate.plots import FAINT, RIGHT, WRONG, panels
from train.report.pages import report_folder, save_plot, write_json, write_page
from train.thresholds.run import Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKER: Final = "thresholds.json"
MOST_STEPS: Final = 12
"""Rows of the precision of a label that has no threshold."""


def write_report(selection: Selection, document: dict[str, Any], out: Path, *, overwrite: bool) -> None:
    """index.html, thresholds.json, logit.png, probability.png. Raises OutputError."""
    with report_folder(out, MARKER, overwrite=overwrite) as folder:
        write_json(folder / MARKER, document)
        plots = {
            scale: save_plot(curves_figure(curves, selection.target.max_error), folder / f"{scale}.png")
            for scale, curves in selection.curves.items()
        }
        unpromised = {one.label: one.steps(MOST_STEPS) for one in selection.curves[document["on"]] if not one.chosen}
        write_page(folder, "thresholds.html.j2", found=document, plots=plots, unpromised=unpromised)


def curves_figure(curves: list[RiskCurve], max_error: float) -> "Figure":
    """For each label, error against coverage from the highest threshold to the lowest, and the chosen point."""
    figure, axes = panels(len(curves), 3.8, 2.7)
    top = min(1.0, max(4 * max_error, 0.1))
    for panel, one in zip(axes, curves, strict=True):
        _panel(panel, one, max_error, top)
    axes[0].legend(fontsize=7, loc="upper left")
    figure.supxlabel("coverage: share of the images given this label that are accepted", fontsize=9)
    figure.supylabel("error", fontsize=9)
    return figure


def _panel(axes: "Axes", one: RiskCurve, max_error: float, top: float) -> None:
    coverage = [point.coverage for point in one.points]
    axes.step(coverage, [point.error for point in one.points], color=RIGHT, where="post", label="error")
    axes.plot(coverage, [point.bound for point in one.points], color=FAINT, linewidth=1, label="upper bound")
    axes.axhline(max_error, color=WRONG, linestyle="--", linewidth=1, label=f"promised {max_error:g}")
    said = "no promise"
    if one.chosen:
        axes.plot([one.chosen.coverage], [one.chosen.bound], "o", color="black", markersize=5, zorder=3)
        said = f"{one.chosen.threshold:g}, accepts {100 * one.chosen.coverage:.0f} %"
    axes.set(xlim=(0, 1.02), ylim=(0, top))
    axes.set_title(f"{one.label}: {said}", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
