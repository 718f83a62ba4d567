"""What the runs of an arm come to: medians, ranges, ratios, and the table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """One arm, once."""

    arm: str
    title: str
    latency_ms: int
    images: int
    """How many it was given."""
    wall_s: float
    """From its start to its end."""
    work_s: float | None
    """Of that, from the first request to the last label, where the arm can tell."""
    cpu_s: float
    """Of all its processes."""
    peak_rss_mb: float
    peak_by_kind_mb: Mapping[str, float]
    server_cpu_s: float
    completed: int
    agreeing: int
    """Of those completed: label equal to the reference's."""
    problem: str | None = None
    """Why there is no result."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Versions and settings."""
    is_warm: bool = False

    @property
    def failed(self) -> int:
        """Images without a label."""
        return self.images - self.completed

    @property
    def warm_rate(self) -> float | None:
        """Images a second while the work goes on."""
        return self.images / self.work_s if self.work_s else None

    def cold_rate(self, images: int) -> float | None:
        """Images a second with start-up, for a job of so many images.

        Measured where the run had as many; otherwise its start-up, and its steady rate for the rest: an estimate.
        None for a warm run, which has no start-up.
        """
        if self.is_warm or self.problem:
            return None
        if self.images == images or self.work_s is None:
            return self.images / self.wall_s
        return images / (self.wall_s - self.work_s + images * self.work_s / self.images)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and range of some figures."""

    median: float
    low: float
    high: float

    def text(self, form: str = "{:.1f}") -> str:
        """`median (low to high)`; the range only where there is one."""
        middle = form.format(self.median)
        if self.low == self.high:
            return middle
        return f"{middle} ({form.format(self.low)} to {form.format(self.high)})"


def spread(figures: Iterable[float | None]) -> Spread | None:
    """None where there is no figure."""
    there = [figure for figure in figures if figure is not None]
    return Spread(median(there), min(there), max(there)) if there else None


HEADINGS = (
    *("arm", "images", "cold img/s", "warm img/s", "G cold / arm", "Gw warm / arm", "CPU ms/img", "server ms/img"),
    *("peak MB", "ok", "failed", "agree"),
)


def table(runs: Sequence[Run], images: int) -> str:
    """The runs of one latency as a Markdown table, a row for every arm; an arm without a result says why."""
    by_arm: dict[str, list[Run]] = {}
    for run in runs:
        by_arm.setdefault(run.arm, []).append(run)
    cold_g = _rate(by_arm.get("G", []), lambda run: run.cold_rate(images))
    warm_g = _rate(by_arm.get("Gw", []), lambda run: run.warm_rate)
    rows = [_row(of_arm, images, cold_g, warm_g) for of_arm in by_arm.values()]
    lines = [HEADINGS, ["---"] * len(HEADINGS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(runs: Sequence[Run], images: int, cold_g: float | None, warm_g: float | None) -> Sequence[str]:
    good = [run for run in runs if run.problem is None]
    name = f"{runs[0].arm} {runs[0].title}"
    if not good:
        return [name, *[""] * (len(HEADINGS) - 2), f"no result: {runs[-1].problem}".replace("|", "/")]
    cold = spread(run.cold_rate(images) for run in good)
    warm = spread(run.warm_rate for run in good)
    is_estimate = good[0].images != images
    completed = sum(run.completed for run in good)
    lost = f"; {len(runs) - len(good)} runs without a result: {runs[-1].problem}" if len(good) < len(runs) else ""
    return [
        name,
        f"{good[0].images:,}",
        ("~" if is_estimate else "") + cold.text() if cold else "",
        warm.text() if warm else "",
        f"{cold_g / cold.median:.1f}" if cold and cold_g else "",
        f"{warm_g / warm.median:.1f}" if warm and warm_g else "",
        _text(spread(1000 * run.cpu_s / run.images for run in good), "{:.1f}") if not good[0].is_warm else "",
        _text(spread(1000 * run.server_cpu_s / run.images for run in good), "{:.2f}") if not good[0].is_warm else "",
        _text(spread(run.peak_rss_mb for run in good), "{:.0f}"),
        f"{good[-1].completed:,}",
        f"{good[-1].failed:,}",
        (f"{sum(run.agreeing for run in good) / completed:.2%}" if completed else "") + lost,
    ]


def _rate(runs: Sequence[Run], rate: Callable[[Run], float | None]) -> float | None:
    found = spread(rate(run) for run in runs if run.problem is None)
    return found.median if found else None


def _text(figures: Spread | None, form: str) -> str:
    return figures.text(form) if figures else ""
