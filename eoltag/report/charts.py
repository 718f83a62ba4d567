"""Histograms of scores as SVG images that need nothing from outside and follow the reader's light or dark mode."""

import warnings
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from math import ceil
from typing import Any, Final, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from eoltag.records import Cut, Measure
from eoltag.report.content import BIN_WIDTHS, Counted

MOST_PANELS: Final = 8
"""Labels that get a histogram, the most frequent ones."""
MOST_BARS: Final = 32
_COLUMNS: Final = 2
_PANEL_INCHES: Final = (3.1, 1.75)
_LEFT_INCHES, _RIGHT_INCHES, _ABOVE_INCHES, _BELOW_INCHES = 0.4, 0.1, 0.28, 0.24
"""Around the axes of a panel."""

_TAG_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
"""Okabe and Ito's, told apart with any colour blindness; their yellow and black are left out, for they vanish on white
and on near black. Tags of a task take them in turn, most frequent first."""
_HATCHES: Final = ("", "////", "....")
"""Of the first, second and third round of colours."""
_MISSING_COLOUR: Final = "#c4c4bf"
_HATCH_COLOUR: Final = "#ffffff"
_INK, _FAINT, _CUT = "#010101", "#020202", "#030303"
"""Placeholders that the style sheet of the image turns into the reader's colours."""
_STYLE: Final = (
    "<style>:root{--ink:#3b3f3c;--faint:#c9cdc8;--cut:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--ink:#c9cec9;--faint:#474d49;--cut:#ff8a7a}}</style>"
)
_SETTINGS: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "eoltag",
    "font.family": "sans-serif",
    "font.size": 8,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One image with a panel for each label."""

    model: str
    measure: Measure
    picture: str
    """A data URI."""
    alt: str


class Ink(NamedTuple):
    """How a tag is drawn: in a colour, and with a hatching where the colours have begun anew."""

    colour: str
    round: int = 0


def tag_inks(tags: Sequence[str], missing: str) -> dict[str, Ink]:
    """An ink for each tag; the literal for "no tag" is grey."""
    named = [tag for tag in tags if tag != missing]
    rounds = len(_TAG_COLOURS)
    inks = {
        tag: Ink(_TAG_COLOURS[number % rounds], number // rounds % len(_HATCHES)) for number, tag in enumerate(named)
    }
    return {**inks, missing: Ink(_MISSING_COLOUR)}


def histograms(
    counts: Sequence[Counted], model: str, measure: Measure, cuts: Sequence[Cut], inks: dict[str, Ink]
) -> Chart | None:
    """How sure one model was, label by label, coloured by the tag that came of it; None where it scored nothing.

    counts: of one task and the kind `measure`.
    """
    bars = _bars(counts, model)
    if not bars:
        return None
    labels = sorted(bars, key=lambda label: -sum(sum(tags.values()) for tags in bars[label].values()))[:MOST_PANELS]
    lines = {
        label: [c for c in cuts if (c.model, c.measure) == (model, measure) and c.concerns(label)] for label in labels
    }
    low, high, width = _scale([number for label in labels for number in bars[label]], measure)
    rows = ceil(len(labels) / _COLUMNS)
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the font for measuring lacks; browsers have others
        figure = Figure((_COLUMNS * _PANEL_INCHES[0], rows * _PANEL_INCHES[1]))
        axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True, gridspec_kw=_spacing(rows)).flatten()
        for axis, label in zip(axes, labels, strict=False):
            _panel(axis, bars[label], BIN_WIDTHS[measure], (low, high, width), inks)
            for cut in lines[label]:
                axis.axvline(cut.value, color=_CUT, linewidth=1.2, linestyle=(0, (3, 2)))
            axis.set_title(label if len(label) < 40 else f"{label[:38]}…", fontsize=9, loc="left")
        for axis in axes[len(labels) :]:
            axis.set_axis_off()
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    told = "; ".join(_told(label, bars[label], lines[label]) for label in labels)
    return Chart(model, measure, _data_uri(file.getvalue()), f"Histograms of {measure} by label. {told}")


def _spacing(rows: int) -> dict[str, float]:
    """Room for numbers such as 100k and for titles. matplotlib's own layouts draw everything once more to measure."""
    width, height = _COLUMNS * _PANEL_INCHES[0], rows * _PANEL_INCHES[1]
    across = width / _COLUMNS - _LEFT_INCHES - _RIGHT_INCHES
    down = height / rows - _ABOVE_INCHES - _BELOW_INCHES
    return {
        "left": _LEFT_INCHES / width,
        "right": 1 - _RIGHT_INCHES / width,
        "top": 1 - _ABOVE_INCHES / height,
        "bottom": _BELOW_INCHES / height,
        "wspace": (_LEFT_INCHES + _RIGHT_INCHES) / across,
        "hspace": (_ABOVE_INCHES + _BELOW_INCHES) / down,
    }


def _bars(counts: Sequence[Counted], model: str) -> dict[str, dict[int, Counter[str]]]:
    """Label -> bin -> tag -> rows."""
    bars: dict[str, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for one in counts:
        if one.model == model and one.label is not None and one.bin is not None:
            bars[one.label][one.bin][one.tag or ""] += one.rows
    return bars


def _scale(bins: Sequence[int], measure: Measure) -> tuple[int, int, int]:
    """(first bin, bin after the last, bins to a bar)."""
    if measure == "confidence":
        return 0, 100, 5
    low, high = min(bins), max(bins) + 1
    width = max(1, ceil((high - low) / MOST_BARS))
    return width * (low // width), width * ceil(high / width), width


def _panel(
    axis: Axes,
    bars: dict[int, Counter[str]],
    unit: float,
    scale: tuple[int, int, int],
    inks: dict[str, Ink],
) -> None:
    low, high, width = scale
    starts = range(low, high, width)
    edges = [start * unit for start in (*starts, high)]
    bottom = [0] * len(starts)
    for tag, ink in inks.items():
        heights = [sum(bars[start + part][tag] for part in range(width) if start + part in bars) for start in starts]
        top = [below + height for below, height in zip(bottom, heights, strict=True)]
        if any(heights):
            hatched: Any = (
                {"hatch": _HATCHES[ink.round], "edgecolor": _HATCH_COLOUR, "linewidth": 0} if ink.round else {}
            )
            axis.stairs(top, edges, baseline=bottom, fill=True, facecolor=ink.colour, **hatched)
        bottom = top
    axis.set_ylim(0, 1.08 * max(bottom, default=1))
    axis.set_xlim(low * unit, high * unit)
    axis.locator_params(axis="y", nbins=4, integer=True)
    axis.yaxis.set_major_formatter(EngFormatter(sep=""))  # 50k, 2M
    axis.tick_params(labelbottom=True, length=2)


def _told(label: str, bars: dict[int, Counter[str]], cuts: Sequence[Cut]) -> str:
    rows = sum(sum(tags.values()) for tags in bars.values())
    return f"{label}: {rows:,}" + "".join(f", threshold {cut.value:g}" for cut in cuts)


def _data_uri(svg: str) -> str:
    text = svg[svg.index("<svg") :]
    for placeholder, colour in ((_INK, "var(--ink)"), (_FAINT, "var(--faint)"), (_CUT, "var(--cut)")):
        text = text.replace(placeholder, colour)
    at = text.index(">") + 1
    return f"data:image/svg+xml;base64,{b64encode((text[:at] + _STYLE + text[at:]).encode()).decode()}"
