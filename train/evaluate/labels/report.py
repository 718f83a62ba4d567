"""An evaluation of several labels as a folder: a page, its pictures, every number as JSON, every image as a row."""

import csv
from pathlib import Path
from typing import Any, Final

from PIL import Image

from eoltag.errors import ImageError
from train.evaluate.labels.plots import scores_figure
from train.evaluate.labels.run import LabelEvaluation
from train.evaluate.plots import MOST_PANELS, curves_figure
from train.evaluate.report import MARKER, PLOTS, ROWS, THUMBNAIL_PX, THUMBNAILS
from train.images.decoding import decode_ahead, thumbnail
from train.package.data_table import PART_NAMES
from train.report.pages import report_folder, save_plot, write_json, write_page

MOST_SHOWN: Final = 200
"""Wrong answers with a picture; all of them stand in the JSON."""


def write_label_report(evaluation: LabelEvaluation, out: Path, *, overwrite: bool) -> None:
    """index.html, evaluation.json, predictions.tsv, plots/*.png, misclassified/*.jpg. Raises OutputError."""
    with report_folder(out, MARKER, overwrite=overwrite) as folder:
        document = evaluation.document()
        write_json(folder / MARKER, document)
        _write_rows(evaluation, folder / ROWS)
        plots = {}
        if evaluation.scored.images:
            (folder / PLOTS).mkdir()
            figures = {
                "curves": curves_figure([one.curve for one in evaluation.measures]),
                "scores": scores_figure(evaluation.probabilities, evaluation.scored.answers, evaluation.labels),
            }
            plots = {name: save_plot(figure, folder / PLOTS / f"{name}.png") for name, figure in figures.items()}
        gallery, more = _gallery(evaluation, folder), max(0, len(evaluation.mistakes) - MOST_SHOWN)
        write_page(
            folder,
            "label_evaluation.html.j2",
            found=document,
            plots=plots,
            gallery=gallery,
            more=more,
            most_panels=MOST_PANELS,
        )


def _gallery(evaluation: LabelEvaluation, folder: Path) -> list[dict[str, Any]]:
    """The surest wrong answers, each with its thumbnail."""
    wrong = evaluation.mistakes[:MOST_SHOWN]
    if wrong:
        (folder / THUMBNAILS).mkdir()
    shown = []
    paths = [evaluation.scored.images[row].image.path for row, _ in wrong]
    thumbnails = decode_ahead(paths, lambda path: thumbnail(path, THUMBNAIL_PX), len(paths), "thumbnails")
    for number, (place, (_, pixels)) in enumerate(zip(wrong, thumbnails, strict=True), 1):
        name = None
        if not isinstance(pixels, ImageError):  # else the file has gone since it was scored
            name = f"{THUMBNAILS}/{number:05d}.jpg"
            Image.fromarray(pixels).save(folder / name, quality=80)
        shown.append({**evaluation.mistake_document(*place), "thumbnail": name})
    return shown


def _write_rows(evaluation: LabelEvaluation, path: Path) -> None:
    """Every image, unreadable ones too; what a row lacks is empty."""
    scores = [f"score {label}" for label in evaluation.labels]
    columns = ("path", "labels", "absent", "given", *scores, "outcome", "detail", "seen", "sha256", "source")
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, delimiter="\t", lineterminator="\n", restval="")
        writer.writeheader()
        for at, image in enumerate(evaluation.scored.images):
            row = evaluation.row_document(at)
            row |= {f"score {label}": f"{value:.6f}" for label, value in row.pop("scores").items()}
            seen = PART_NAMES[image.in_training] if image.in_training else ""
            writer.writerow({**row, "outcome": str(image.outcome), "seen": seen, "sha256": image.sha256})
        for image in evaluation.scored.unreadable:
            known = {"path": image.image.shown, "labels": image.image.label, "outcome": str(image.outcome)}
            writer.writerow({**known, "detail": image.detail or "", "sha256": image.sha256})
