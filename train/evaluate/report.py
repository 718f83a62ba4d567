"""An evaluation as a folder: a page for people, its pictures, every number as JSON, every image as a row."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from eoltag.errors import ImageError
from train.evaluate.mixups import mixups
from train.evaluate.plots import MOST_PANELS, calibration_figure, confusion_figure, curves_figure, histograms_figure
from train.evaluate.run import Evaluation
from train.evaluate.scoring import ScoredImage
from train.images.decoding import decode_ahead, thumbnail
from train.package.data_table import PART_NAMES
from train.report.pages import report_folder, save_plot, write_json, write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKER: Final = "evaluation.json"
ROWS: Final = "predictions.tsv"
THUMBNAILS: Final = "misclassified"
PLOTS: Final = "plots"
THUMBNAIL_PX: Final = 160
MOST_PICTURED: Final = 12
"""Labels, beyond which the picture of a confusion matrix is too small to read on a page: a table takes its place."""
MOST_MIXUPS: Final = 25
COLUMNS: Final = (
    *("path", "truth", "label", "confidence", "logit", "outcome", "detail", "seen", "width", "height", "is_grey"),
    *("ancestry", "sha256", "source"),
)


def write_report(evaluation: Evaluation, out: Path, *, overwrite: bool) -> None:
    """index.html, evaluation.json, predictions.tsv, plots/*.png, misclassified/*.jpg. Raises OutputError."""
    with report_folder(out, MARKER, overwrite=overwrite) as folder:
        document = evaluation.document()
        write_json(folder / MARKER, document)
        write_rows(folder / ROWS, COLUMNS, _rows(evaluation))
        plots = _draw(evaluation, folder) if evaluation.scored.images else {}
        gallery = _gallery(evaluation, folder)
        mixed_up = mixups(document["confusion"], document["labels"])
        is_pictured = len(evaluation.labels) <= MOST_PICTURED
        write_page(
            folder,
            "evaluation.html.j2",
            found=document,
            plots=plots,
            gallery=gallery,
            mixups=mixed_up[:MOST_MIXUPS],
            other_mixups=len(mixed_up[MOST_MIXUPS:]),
            is_pictured=is_pictured,
            most_panels=MOST_PANELS,
        )


def _draw(evaluation: Evaluation, folder: Path) -> dict[str, str]:
    """Name -> data URI."""
    logits, truth, labels = evaluation.scored.logits, evaluation.scored.truth, evaluation.labels
    predicted = evaluation.scored.predicted
    sure, raw = evaluation.probabilities.max(axis=1), logits.max(axis=1)
    figures = {
        "confusion": confusion_figure(truth, predicted, labels),
        "curves": curves_figure(evaluation.curves),
        "confidence": histograms_figure(sure, predicted, truth, labels, "confidence"),
        "logit": histograms_figure(raw, predicted, truth, labels, "logit"),
    }
    if evaluation.before:
        figures["calibration"] = calibration_figure(evaluation.before, evaluation.after)
    return write_plots(figures, folder)


def write_plots(figures: "Mapping[str, Figure]", folder: Path) -> dict[str, str]:
    """Write plots/NAME.png; name -> data URI."""
    (folder / PLOTS).mkdir()
    return {name: save_plot(figure, folder / PLOTS / f"{name}.png") for name, figure in figures.items()}


def _gallery(evaluation: Evaluation, folder: Path) -> list[dict[str, Any]]:
    """Every misclassified image with its thumbnail; the surest mistakes first."""
    shown = []
    pictures = write_thumbnails([evaluation.scored.images[at] for at in evaluation.wrong], folder)
    for at, picture in zip(evaluation.wrong, pictures, strict=True):
        row = evaluation.row_document(at)
        is_link = (row["source"] or "").lower().startswith(("https://", "http://"))
        shown.append({**row, "thumbnail": picture, "link": row["source"] if is_link else None})
    return shown


def write_thumbnails(images: Sequence[ScoredImage], folder: Path) -> list[str | None]:
    """Write misclassified/NUMBER.jpg; the path of each below the folder, None where the file has gone by now."""
    (folder / THUMBNAILS).mkdir()
    paths, written = [one.image.path for one in images], list[str | None]()
    thumbnails = decode_ahead(paths, lambda path: thumbnail(path, THUMBNAIL_PX), len(paths), "thumbnails")
    for number, (_, pixels) in enumerate(thumbnails, 1):
        name = None if isinstance(pixels, ImageError) else f"{THUMBNAILS}/{number:05d}.jpg"
        if not isinstance(pixels, ImageError):
            Image.fromarray(pixels).save(folder / str(name), quality=80)
        written.append(name)
    return written


def _rows(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    for at, one in enumerate(evaluation.scored.images):
        known = {"width": one.width, "height": one.height, "is_grey": str(one.is_grey).lower()}
        ancestry = evaluation.ancestries.get(one.image.shown, "")
        yield {**evaluation.row_document(at), **known, "ancestry": ancestry, **standing_cells(one)}
    for one in evaluation.scored.unreadable:
        yield {"truth": one.image.label, **standing_cells(one)}


def standing_cells(one: ScoredImage) -> dict[str, str]:
    """What is said of every image, also of one that could not be read."""
    seen = PART_NAMES[one.in_training] if one.in_training else ""
    said = {"path": one.image.shown, "outcome": str(one.outcome), "detail": one.detail or ""}
    return {**said, "seen": seen, "sha256": one.sha256}


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A TSV; what a row lacks is empty."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
