"""A directory that appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eoltag.errors import OutputError
from eoltag.package import CARD_FILE


def check_destination(out: Path, *, overwrite: bool) -> None:
    """Raises OutputError where a package may not be written to `out`; a folder that is no package is never replaced."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: wanted a folder for the model package, found a file")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / CARD_FILE).is_file():
        raise OutputError(f"{out}: holds other files and is no model package; wanted a new or empty folder")
    if not overwrite:
        raise OutputError(f"{out}: holds a model package already; add --overwrite to replace it")


@contextmanager
def staged(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder beside `out` that takes its place at the end, if nothing goes wrong until then."""
    check_destination(out, overwrite=overwrite)
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as problem:
        raise OutputError(f"{out}: cannot be written ({problem.strerror})") from problem
    try:
        new = work / "new"
        new.mkdir()
        yield new
        check_destination(out, overwrite=overwrite)
        if out.exists():
            out.rename(work / "old")
        os.replace(new, out)  # noqa: PTH105 - says what it does better than Path.replace
    finally:
        shutil.rmtree(work, ignore_errors=True)
