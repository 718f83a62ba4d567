"""EOL's calibration of the cartoonization: one table of norms and one sheet of histograms per class."""

import csv
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import ImageError
from eoltag.image.cartoon import Cartoonization, cartoonization
from train.cartoonize.plots import draw_norms
from train.images.decoding import decode_ahead, decode_file, log_skipped
from train.images.listing import list_images
from train.records import LabelledImage, Unreadable

COLUMNS: Final = ("filename", "mnorm", "mnorm_pp", "znorm", "znorm_pp")


def cartoonize(folder: Path, out: Path, limit: int, side_px: int | None, threshold: float) -> dict[str, Any]:
    """The report, after writing both files of every class. Raises DataError where there are no classes.

    limit: images of each class, the first by name. side_px: see eoltag.image.decode.
    """
    found = list_images(folder)
    out.mkdir(parents=True, exist_ok=True)
    unreadable: list[Unreadable] = []
    report: dict[str, Any] = {}
    for label in found.labels:
        images = [image for image in found.images if image.label == label][:limit]
        norms = _norms(images, label, side_px, unreadable)
        _write(out / f"{label}_cartoonification_values.csv", norms)
        values = [norm for _, norm in norms]
        if values:
            draw_norms(values, label, threshold, out / f"{label}_cartoonization_hists.png")
        report[label] = _summary(values, threshold)
    return {
        "threshold": threshold,
        "side_px": side_px,
        "classes": report,
        "unreadable": [f"{file.path}: {file.outcome}, {file.detail}" for file in unreadable],
    }


def _norms(
    images: Sequence[LabelledImage], label: str, side_px: int | None, unreadable: list[Unreadable]
) -> list[tuple[str, Cartoonization]]:
    """Norms by the file's name within its class; what cannot be read is added to `unreadable`."""

    def measure(image: LabelledImage) -> Cartoonization:
        return cartoonization(decode_file(image.path, [], [side_px]).pictures[0])

    norms = []
    for image, result in decode_ahead(images, measure, len(images), label):
        if isinstance(result, ImageError):
            log_skipped(image.path, result.outcome, result.detail)
            unreadable.append(Unreadable(image.path, result.outcome, result.detail))
        else:
            norms.append((image.shown.removeprefix(f"{label}/"), result))
    return norms


def _write(path: Path, norms: Sequence[tuple[str, Cartoonization]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows((name, *astuple(norm)) for name, norm in norms)


def _summary(norms: Sequence[Cartoonization], threshold: float) -> dict[str, Any]:
    if not norms:
        return {"images": 0}
    values = np.array([norm.mnorm_pp for norm in norms])
    low, middle, high = (float(value) for value in np.quantile(values, (0.1, 0.5, 0.9)))
    share = float((values <= threshold).mean())
    return {"images": len(norms), "p10": low, "median": middle, "p90": high, "share_up_to_threshold": share}
