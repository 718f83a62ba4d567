"""An evaluation of several labels as a folder: a page, its pictures, every number as JSON, every image as a row."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from train.evaluate.labels.plots import scores_figure
from train.evaluate.labels.run import LabelEvaluation
from train.evaluate.plots import MOST_PANELS, curves_figure
from train.evaluate.report import MARKER, ROWS, standing_cells, write_plots, write_rows, write_thumbnails
from train.report.pages import report_folder, write_json, write_page

MOST_SHOWN: Final = 200
"""Wrong answers with a picture; all of them stand in the JSON."""


def write_label_report(evaluation: LabelEvaluation, out: Path, *, overwrite: bool) -> None:
    """index.html, evaluation.json, predictions.tsv, plots/*.png, misclassified/*.jpg. Raises OutputError."""
    with report_folder(out, MARKER, overwrite=overwrite) as folder:
        document = evaluation.document()
        write_json(folder / MARKER, document)
        scores = [f"score {label}" for label in evaluation.labels]
        columns = ("path", "labels", "absent", "given", *scores, "outcome", "detail", "seen", "sha256", "source")
        write_rows(folder / ROWS, columns, _rows(evaluation))
        plots = {}
        if evaluation.scored.images:
            figures = {
                "curves": curves_figure([one.curve for one in evaluation.measures]),
                "scores": scores_figure(evaluation.probabilities, evaluation.scored.answers, evaluation.labels),
            }
            plots = write_plots(figures, folder)
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
    pictures = write_thumbnails([evaluation.scored.images[row] for row, _ in wrong], folder)
    return [
        {**evaluation.mistake_document(*place), "thumbnail": picture}
        for place, picture in zip(wrong, pictures, strict=True)
    ]


def _rows(evaluation: LabelEvaluation) -> Iterator[dict[str, Any]]:
    for at, one in enumerate(evaluation.scored.images):
        row = evaluation.row_document(at)
        scores = {f"score {label}": f"{value:.6f}" for label, value in row.pop("scores").items()}
        yield {**row, **scores, **standing_cells(one)}
    for one in evaluation.scored.unreadable:
        yield {"labels": one.image.label, **standing_cells(one)}
