"""The pictures of an evaluation. Each function returns a figure; colours are told apart without red and green."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from train.evaluate.calibration import Calibration
from train.evaluate.metrics import Curve, Targets, confusion_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
"""Okabe and Ito's, which people with any colour blindness tell apart; yellow and black are left out, for they vanish on
white and on near black."""
DASHES: Final = ("solid", "dashed", "dotted")
"""Of the first, second and third round of colours."""
RIGHT, WRONG = COLOURS[0], COLOURS[3]
FAINT: Final = "#999999"
MOST_NUMBERED: Final = 25
"""Labels, beyond which the cells of a confusion matrix have no room for numbers."""
MOST_NAMED: Final = 10
"""Curves with a colour and a name of their own; beyond that only the worst have them."""
WORST_NAMED: Final = 6
MOST_PANELS: Final = 12
"""Histograms that a person can compare; of more labels those with the most mistakes are drawn."""
BARS: Final = 15
"""As in EOL's inspection notebooks."""


def confusion_figure(truth: Targets, predicted: Targets, labels: Sequence[str]) -> "Figure":
    """Two panels: images, and shares of each true label."""
    side = 2.6 + 0.52 * min(len(labels), 40)
    figure = _figure(2 * side + 0.6, side)
    left, right = figure.subplots(1, 2)
    matrix = confusion_matrix(truth, predicted, len(labels))
    shares = confusion_matrix(truth, predicted, len(labels), is_normalised=True)
    _matrix(left, shares, [[str(cell) for cell in row] for row in matrix], labels, "images")
    texts = [[f"{cell:.2f}" if cell else "0" for cell in row] for row in shares]
    _matrix(right, shares, texts, labels, "share of the true label")
    right.set_ylabel("")
    return figure


def curves_figure(curves: Sequence[Curve]) -> "Figure":
    """ROC and precision-recall of each label against the rest."""
    figure = _figure(11, 4.6)
    left, right = figure.subplots(1, 2)
    for axes, name, area_of in ((left, "roc", "roc_area"), (right, "precision_recall", "pr_area")):
        known = [curve for curve in curves if getattr(curve, area_of) is not None]
        worst = sorted(known, key=lambda curve: getattr(curve, area_of))[:WORST_NAMED]
        named = known if len(known) <= MOST_NAMED else worst
        for curve in known:
            if curve not in named:
                axes.plot(*getattr(curve, name), linewidth=1, color=FAINT, alpha=0.5)
        for at, curve in enumerate(named):
            text = f"{curve.label} {getattr(curve, area_of):.3f}"
            axes.plot(*getattr(curve, name), linewidth=1.4, label=text, **_stroke(at))
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            title = "area" if named is known else f"lowest areas of {len(known)}"
            axes.legend(loc="lower right" if axes is left else "lower left", fontsize=8, title=title)
    left.plot([0, 1], [0, 1], color=FAINT, linestyle=":")
    left.set(title="ROC, one label against the rest", xlabel="false positive rate", ylabel="true positive rate")
    right.set(title="precision and recall", xlabel="recall", ylabel="precision")
    return figure


def _stroke(at: int) -> dict[str, Any]:
    """Colour and dashes of the curve with this number: no two alike up to 18."""
    return {"color": COLOURS[at % len(COLOURS)], "linestyle": DASHES[at // len(COLOURS) % len(DASHES)]}


def calibration_figure(before: Calibration, after: Calibration | None) -> "Figure":
    """Reliability diagrams: how often the model is right at each confidence."""
    shown = [(f"as the card has it: T = {before.temperature:.3g}", before)]
    if after:
        shown.append((f"with a fitted temperature: T = {after.temperature:.3g}", after))
    figure = _figure(5.5 * len(shown), 5.2)
    panels = figure.subplots(2, len(shown), height_ratios=(3, 1), sharex=True, squeeze=False)
    for column, (title, found) in enumerate(shown):
        _reliability(panels[0][column], panels[1][column], found, title)
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _reliability(upper: "Axes", lower: "Axes", found: Calibration, title: str) -> None:
    used = [one for one in found.bins if one.images]
    width = 1 / len(found.bins)
    middles = [(one.low + one.high) / 2 for one in used]
    upper.bar(middles, [one.accuracy for one in used], width * 0.92, color=RIGHT, label="right this often")
    upper.plot([one.confidence for one in used], [one.accuracy for one in used], "o", color="black", markersize=3)
    upper.plot([0, 1], [0, 1], color=WRONG, linestyle="--", label="as often as it claims")
    upper.set(title=title, ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    upper.text(0.03, 0.88, f"ECE {found.ece:.3f}\nNLL {found.nll:.3f}", transform=upper.transAxes)
    lower.bar(middles, [one.images for one in used], width * 0.92, color=FAINT)
    lower.set(xlabel="confidence", ylabel="images")
    for axes in (upper, lower):
        axes.grid(alpha=0.3)


def histograms_figure(
    values: NDArray[np.floating[Any]],
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    scale: str,
) -> "Figure":
    """For each label, the scores of the images that were given it: rightly above the line, wrongly below.

    Of many labels, those with the most mistakes. values: score of the predicted label, (N,). scale: its name,
    `confidence` or `logit`.
    """
    drawn = labels_drawn(predicted, truth, labels)
    figure, axes = panels(len(drawn), 3.7, 2.1)
    low, high = (0.0, 1.0) if scale == "confidence" else (float(values.min()), float(values.max()) + 1e-6)
    edges = np.linspace(low, high, BARS + 1)
    for at, label in enumerate(drawn):
        given = predicted == labels.index(label)
        right = np.histogram(values[given & (truth == predicted)], edges)[0]
        wrong = np.histogram(values[given & (truth != predicted)], edges)[0]
        mirrored(axes[at], edges, right, wrong)
        axes[at].set_title(f"{label}: {right.sum()} right, {wrong.sum()} wrong", fontsize=9)
    figure.supxlabel(scale, fontsize=9)
    return figure


def labels_drawn(predicted: NDArray[np.int64], truth: NDArray[np.int64], labels: Sequence[str]) -> list[str]:
    """All labels in their order; of more than MOST_PANELS those that were given wrongly most often, the worst first."""
    if len(labels) <= MOST_PANELS:
        return list(labels)
    wrong = np.bincount(predicted[predicted != truth], minlength=len(labels))
    return [labels[at] for at in np.argsort(-wrong, kind="stable")[:MOST_PANELS]]


def panels(count: int, width: float, height: float) -> tuple["Figure", list["Axes"]]:
    """A figure with so many panels of that size, three side by side at most."""
    across = min(3, count)
    down = ceil(count / across)
    figure = _figure(width * across, 0.5 + height * down)
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for empty in axes[count:]:
        empty.set_visible(False)
    return figure, axes[:count]


def mirrored(
    axes: "Axes",
    edges: NDArray[np.float64],
    above: NDArray[Any],
    below: NDArray[Any],
    names: tuple[str, str] = ("", ""),
) -> None:
    """Two histograms, one above the line and one below it. names: of both, for a legend."""
    from matplotlib.ticker import MaxNLocator

    width = (edges[1] - edges[0]) * 0.92
    middles = (edges[:-1] + edges[1:]) / 2
    axes.bar(middles, above, width, color=RIGHT, label=names[0])
    axes.bar(middles, -below, width, color=WRONG, label=names[1])
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylim(-1.1 * max(below.max(), 1), 1.1 * max(above.max(), 1))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)


def _matrix(
    axes: "Axes", shares: NDArray[np.float64], texts: Sequence[Sequence[str]], labels: Sequence[str], title: str
) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = np.arange(len(labels))
    size = 9 if len(labels) <= 12 else min(6.0, 300 / len(labels))
    tilt: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(labels) <= MOST_NUMBERED else {"rotation": 90}
    axes.set_xticks(ticks, labels, fontsize=size, **tilt)
    axes.set_yticks(ticks, labels, fontsize=size)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    if len(labels) > MOST_NUMBERED:
        return
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            color = "white" if shares[row, column] > 0.5 else "black" if text != "0" else "#bbbbbb"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=size)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
