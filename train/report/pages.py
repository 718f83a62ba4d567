"""Folders of results for people: an HTML page that opens from disk, with its pictures, whole or not at all."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from train.package.staging import check_folder, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE: Final = "index.html"
TEMPLATES: Final = Path(__file__).parent / "templates"
DPI: Final = 110


@contextmanager
def report_folder(out: Path, marker: str, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder that takes the place of `out` at the end, if nothing goes wrong until then.

    marker: a file that every such report has; a folder without it is never replaced. Raises OutputError.
    """
    with replacing(out, lambda: check_report_folder(out, marker, overwrite=overwrite)) as folder:
        yield folder


def check_report_folder(out: Path, marker: str, *, overwrite: bool, apart_from: tuple[Path, ...] = ()) -> None:
    """Raises OutputError where a report may not be written to `out`; before the work, so that none is in vain."""
    check_folder(out, marker, "report", f"no {marker}", overwrite=overwrite, apart_from=apart_from)


def render(template: str, **values: Any) -> str:
    """A page from train/report/templates; every value is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.filters["share"] = share
    pages.filters["decimal"] = decimal
    return pages.get_template(template).render(**values)


def write_page(folder: Path, template: str, **values: Any) -> None:
    """index.html in the folder."""
    (folder / PAGE).write_text(render(template, **values), encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """One document, readable by people."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def share(value: float | None) -> str:
    """0.9333 as 93.3 %; a dash for what is not known."""
    return "–" if value is None else f"{100 * value:.1f} %"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with so many digits; a dash for what is not known."""
    return "–" if value is None else f"{value:.{digits}f}"


def save_plot(figure: "Figure", path: Path) -> str:
    """Write the figure as PNG; returns it as a data URI, so that a page holds it without the file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    path.write_bytes(buffer.getvalue())
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
