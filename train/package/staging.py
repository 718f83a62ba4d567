"""A directory that appears whole or not at all."""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eoltag.errors import OutputError
from eoltag.local.files import exchange
from eoltag.model.attempts import CARD_FILE


def check_destination(out: Path, *, overwrite: bool) -> None:
    """Raises OutputError where a package may not be written to `out`; a folder that is no package is never replaced."""
    check_folder(out, CARD_FILE, "model package", "is no model package", overwrite=overwrite)


def check_folder(
    out: Path, marker: str, kind: str, otherwise: str, *, overwrite: bool, apart_from: tuple[Path, ...] = ()
) -> None:
    """Raises OutputError where a folder of that kind may not be written to `out`, nor replace what is there.

    marker: a file that every such folder has; one without it, which `otherwise` is said of, is never replaced.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: wanted a folder for the {kind}, found a file")
    for folder in apart_from:
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise OutputError(f"{out}: lies in {folder}, which must stay as it is")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / marker).is_file():
        raise OutputError(f"{out}: holds other files and {otherwise}; wanted a new or empty folder")
    if not overwrite:
        raise OutputError(f"{out}: holds a {kind} already; add --overwrite to replace it")


@contextmanager
def staged(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """An empty folder beside `out` that takes its place as a package at the end, if nothing goes wrong until then."""
    with replacing(out, lambda: check_destination(out, overwrite=overwrite)) as folder:
        yield folder


@contextmanager
def replacing(out: Path, check: Callable[[], None]) -> Iterator[Path]:
    """An empty folder beside `out` that takes its place at the end, if nothing goes wrong until then.

    check: raises OutputError where `out` must stay as it is; asked before the work and once more before the change.
    """
    out = out.absolute()
    _mend(out)
    check()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as problem:
        raise OutputError(f"{out}: cannot be written ({problem.strerror})") from problem
    with _held(work) as is_mine:
        assert is_mine, "nobody else knows of it yet"
        try:
            new = work / "new"
            new.mkdir()
            yield new
            check()
            if not out.exists():
                new.rename(out)
            elif not exchange(str(new), str(out)):
                out.rename(work / _OLD)
                new.rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)


_OLD: Final = "old"
"""What was there, between the two renames of a file system on which folders cannot change places."""


def _mend(out: Path) -> None:
    """Remove what killed processes have left beside `out`; a folder that one of them had moved away comes back."""
    for work in out.parent.glob(f".{glob.escape(out.name)}-*/"):
        with _held(work) as is_mine:
            if not is_mine:
                continue
            if (work / _OLD).is_dir() and not out.exists():
                (work / _OLD).rename(out)
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Whether the folder belongs to this process, until the block ends; the system frees what a dead one has held."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(number)
