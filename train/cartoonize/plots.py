"""Histograms of the norms of one class."""

from collections.abc import Sequence
from pathlib import Path

from eoltag.image.cartoon import Cartoonization


def draw_norms(norms: Sequence[Cartoonization], label: str, threshold: float, path: Path) -> None:
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
