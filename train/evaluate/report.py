"""An evaluation as a folder: a page for people, its pictures, every number as JSON, every image as a row."""

import csv
from pathlib import Path
from typing import Any, Final

from PIL import Image

from eoltag.errors import ImageError
from train.evaluate.mixups import mixups
from train.evaluate.plots import MOST_PANELS, calibration_figure, confusion_figure, curves_figure, histograms_figure
from train.evaluate.run import Evaluation
from train.images.decoding import decode_ahead, thumbnail
from train.package.data_table import PART_NAMES
from train.report.pages import report_folder, save_plot, write_json, write_page

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
        _write_rows(evaluation, folder / ROWS)
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
    (folder / PLOTS).mkdir()
    return {name: save_plot(figure, folder / PLOTS / f"{name}.png") for name, figure in figures.items()}


def _gallery(evaluation: Evaluation, folder: Path) -> list[dict[str, Any]]:
    """Every misclassified image with its thumbnail; the surest mistakes first."""
    wrong = evaluation.wrong
    if wrong:
        (folder / THUMBNAILS).mkdir()
    shown = []
    paths = [evaluation.scored.images[at].image.path for at in wrong]
    thumbnails = decode_ahead(paths, lambda path: thumbnail(path, THUMBNAIL_PX), len(paths), "thumbnails")
    for number, (at, (_, pixels)) in enumerate(zip(wrong, thumbnails, strict=True), 1):
        name = f"{THUMBNAILS}/{number:05d}.jpg"
        if not isinstance(pixels, ImageError):  # the file has gone since it was scored
            Image.fromarray(pixels).save(folder / name, quality=80)
        row = evaluation.row_document(at)
        is_link = (row["source"] or "").lower().startswith(("https://", "http://"))
        shown.append(
            {
                **row,
                "thumbnail": None if isinstance(pixels, ImageError) else name,
                "link": row["source"] if is_link else None,
            }
        )
    return shown


def _write_rows(evaluation: Evaluation, path: Path) -> None:
    """Every image, unreadable ones too; what a row lacks is empty."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        for at, row in enumerate(evaluation.scored.images):
            writer.writerow(
                {
                    **evaluation.row_document(at),
                    "outcome": str(row.outcome),
                    "seen": PART_NAMES[row.in_training] if row.in_training else "",
                    "width": row.width,
                    "height": row.height,
                    "is_grey": str(row.is_grey).lower(),
                    "ancestry": evaluation.ancestries.get(row.image.shown, ""),
                    "sha256": row.sha256,
                }
            )
        for row in evaluation.scored.unreadable:
            writer.writerow(
                {
                    "path": row.image.shown,
                    "truth": row.image.label,
                    "outcome": str(row.outcome),
                    "detail": row.detail or "",
                    "seen": PART_NAMES[row.in_training] if row.in_training else "",
                    "sha256": row.sha256,
                }
            )
