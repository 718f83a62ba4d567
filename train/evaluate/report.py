"""An evaluation as a folder: a page for people, its pictures, every number as JSON, every image as a row."""

import csv
from pathlib import Path
from typing import Any, Final

from PIL import Image

from eoltag.errors import ImageError
from eoltag.image.decode import decode
from eoltag.records import InputSpec
from eoltag.settings import DecodeSettings
from train.cli import progress
from train.evaluate.plots import calibration_figure, confusion_figure, curves_figure, histograms_figure
from train.evaluate.run import Evaluation
from train.images.files import read_image_file
from train.report.pages import report_folder, save_plot, write_json, write_page

MARKER: Final = "evaluation.json"
ROWS: Final = "predictions.tsv"
THUMBNAILS: Final = "misclassified"
PLOTS: Final = "plots"
THUMBNAIL_PX: Final = 160
COLUMNS: Final = (
    *("path", "truth", "label", "confidence", "logit", "outcome", "detail", "seen", "width", "height", "is_grey"),
    *("ancestry", "sha256"),
)


def write_report(evaluation: Evaluation, out: Path, *, overwrite: bool) -> None:
    """index.html, evaluation.json, predictions.tsv, plots/*.png, misclassified/*.jpg. Raises OutputError."""
    with report_folder(out, MARKER, overwrite=overwrite) as folder:
        document = evaluation.document()
        write_json(folder / MARKER, document)
        _write_rows(evaluation, folder / ROWS)
        plots = _draw(evaluation, folder) if evaluation.judgement.rows else {}
        gallery = _gallery(evaluation, folder)
        write_page(folder, "evaluation.html.j2", found=document, plots=plots, gallery=gallery)


def _draw(evaluation: Evaluation, folder: Path) -> dict[str, str]:
    """Name -> data URI."""
    logits, truth, labels = evaluation.judgement.logits, evaluation.judgement.truth, evaluation.labels
    predicted = logits.argmax(axis=1)
    sure, raw = evaluation.probabilities.max(axis=1), logits.max(axis=1)
    figures = {
        "confusion": confusion_figure(evaluation.matrix, labels),
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
    for number, at in enumerate(progress(wrong, len(wrong), "image", "thumbnails"), 1):
        name = f"{THUMBNAILS}/{number:05d}.jpg"
        is_drawn = _write_thumbnail(evaluation.judgement.rows[at].image.path, folder / name)
        shown.append({**evaluation.row_document(at), "thumbnail": name if is_drawn else None})
    return shown


def _write_thumbnail(source: Path, path: Path) -> bool:
    """False where the file has gone since it was judged."""
    spec = InputSpec(THUMBNAIL_PX, THUMBNAIL_PX, "pad", "box")
    try:
        pixels = decode(read_image_file(source), [spec], DecodeSettings().max_pixels).pixels[0]
    except ImageError:
        return False
    Image.fromarray(pixels).save(path, quality=80)
    return True


def _write_rows(evaluation: Evaluation, path: Path) -> None:
    """Every image, unreadable ones too; what a row lacks is empty."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        for at, row in enumerate(evaluation.judgement.rows):
            writer.writerow(
                {
                    **evaluation.row_document(at),
                    "outcome": str(row.outcome),
                    "seen": row.seen or "",
                    "width": row.width,
                    "height": row.height,
                    "is_grey": str(row.is_grey).lower(),
                    "ancestry": evaluation.ancestries.get(row.image.shown, ""),
                    "sha256": row.sha256,
                }
            )
        for row in evaluation.judgement.unreadable:
            writer.writerow(
                {
                    "path": row.image.shown,
                    "truth": evaluation.labels[row.image.target],
                    "outcome": str(row.outcome),
                    "detail": row.detail or "",
                    "seen": row.seen or "",
                    "sha256": row.sha256,
                }
            )
