"""The folder that `prepare` writes: what may be there before, and how a new set takes the place of an old one."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from eoltag.errors import OutputError
from train.images.manifest import FILE_NAME, IMAGES
from train.prepare.download import FOLDER as DOWNLOADS

QUARANTINE: Final = "quarantine"
WEIGHTS: Final = "class_weights.json"
SHEET: Final = "augmented.jpg"
LABELS: Final = "labels.csv"
"""Of images with several labels: what each shows, and is known not to show, as `fit --data` takes it."""
REPORT_TEXT: Final = "report.txt"
REPORT_JSON: Final = "report.json"
BUILDING: Final = ".building"

_MADE: Final = (FILE_NAME, IMAGES, QUARANTINE, LABELS, WEIGHTS, SHEET, REPORT_TEXT, REPORT_JSON)
"""The manifest first: a folder without one is not finished."""


def check_output(out: Path, sources: Iterable[Path], *, overwrite: bool) -> None:
    """Raises OutputError where a set may not be written to `out`: nothing that others wrote is replaced."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: wanted a folder for the images, found a file")
    for source in sources:
        inner, outer = sorted((out.resolve(), source.resolve()), key=lambda path: -len(path.parts))
        if source.is_dir() and inner.is_relative_to(outer):
            raise OutputError(f"{out}: wanted a folder apart from the source {source}, which must stay as it is")
    if not out.is_dir():
        return
    present = {path.name for path in out.iterdir()}
    strangers = sorted(present - {*_MADE, DOWNLOADS, BUILDING})
    if strangers:
        raise OutputError(f"{out}: holds other files, such as {strangers[0]}; wanted a new or empty folder")
    if FILE_NAME in present and not overwrite:
        raise OutputError(f"{out}: holds a set of images already; add --overwrite to make it anew")


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """An empty folder inside `out` whose content takes the place of the old set at the end, if nothing goes wrong."""
    work = out / BUILDING
    try:
        shutil.rmtree(work, ignore_errors=True)
        (work / "made").mkdir(parents=True)
    except OSError as problem:
        raise OutputError(f"{out}: cannot be written ({problem.strerror or problem})") from problem
    try:
        yield work
        for name in _MADE:
            _remove(out / name)
        for name in reversed(_MADE):
            if (work / "made" / name).exists():
                (work / "made" / name).rename(out / name)
    except OSError as problem:
        raise OutputError(f"{out}: cannot be written ({problem.strerror or problem})") from problem
    finally:
        shutil.rmtree(work, ignore_errors=True)
        with suppress(OSError):
            out.rmdir()  # where nothing came of it and nothing was downloaded


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
