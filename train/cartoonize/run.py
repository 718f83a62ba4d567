"""EOL's calibration of the cartoonization: one table of norms and one sheet of histograms per class."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError, ImageError
from eoltag.image.cartoon import Cartoonization, cartoonization
from eoltag.image.decode import decode
from eoltag.settings import DecodeSettings
from train.cartoonize.plots import draw_norms
from train.cli import progress
from train.images.files import read_image_file

COLUMNS: Final = ("filename", "mnorm", "mnorm_pp", "znorm", "znorm_pp")


def cartoonize(folder: Path, out: Path, limit: int, side_px: int | None, threshold: float) -> dict[str, Any]:
    """The report, after writing both files of every class. Raises DataError where there are no classes.

    limit: images of each class, the first by name. side_px: see eoltag.image.decode.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not classes:
        raise DataError(f"{folder}: wanted a folder with one folder of images per class")
    out.mkdir(parents=True, exist_ok=True)
    unreadable: list[str] = []
    report: dict[str, Any] = {}
    for path in classes:
        files = sorted(file for file in path.rglob("*") if file.is_file())[:limit]
        norms = _norms(progress(files, len(files), "image", path.name), side_px, unreadable)
        _write(out / f"{path.name}_cartoonification_values.csv", path, norms)
        values = [norm for _, norm in norms]
        if values:
            draw_norms(values, path.name, threshold, out / f"{path.name}_cartoonization_hists.png")
        report[path.name] = _summary(values, threshold)
    return {"threshold": threshold, "side_px": side_px, "classes": report, "unreadable": unreadable}


def _norms(files: Iterable[Path], side_px: int | None, unreadable: list[str]) -> list[tuple[Path, Cartoonization]]:
    """Norms by file; what cannot be read is said in `unreadable`."""
    found = []
    for file in files:
        try:
            decoded = decode(read_image_file(file), [], DecodeSettings().max_pixels, [side_px])
        except ImageError as problem:
            unreadable.append(f"{file}: {problem.outcome}: {problem.detail}")
            continue
        found.append((file, cartoonization(decoded.pictures[0])))
    return found


def _write(path: Path, folder: Path, norms: Sequence[tuple[Path, Cartoonization]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows((file.relative_to(folder).as_posix(), *astuple(norm)) for file, norm in norms)


def _summary(norms: Sequence[Cartoonization], threshold: float) -> dict[str, Any]:
    if not norms:
        return {"images": 0}
    values = np.array([norm.mnorm_pp for norm in norms])
    low, middle, high = (float(value) for value in np.quantile(values, (0.1, 0.5, 0.9)))
    share = float((values <= threshold).mean())
    return {"images": len(norms), "p10": low, "median": middle, "p90": high, "share_up_to_threshold": share}
