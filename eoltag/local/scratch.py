"""One temporary folder for each process, which holds all that it makes, and goes with it.

Folders that dead processes have left are removed by the next one.
"""

import glob
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from eoltag.local.processes import TOKEN, is_gone, own_token

PREFIX: Final = "eoltag-"
JAVA: Final = "java-"
"""So begins what holds the files of the JVM and its workers, which outlive Python for a moment and remove it."""
CLOSED: Final = ".closed"
"""This file in a process's folder says that the process needs it no more: who empties it removes it."""
_folders: list[Path] = []


def open_scratch() -> Path:
    """From here on all temporary files of this process, and of those that it starts, lie in a folder of its own.

    Raises OSError.
    """
    place = Path(tempfile.gettempdir())
    remove_leftovers(place, PREFIX)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{own_token()}-", dir=place))
    _folders.append(folder)
    tempfile.tempdir = str(folder)
    os.environ["TMPDIR"] = str(folder)
    return folder


def close_scratch() -> None:
    """Remove it, but for what the JVM still holds."""
    for folder in _folders:
        for path in folder.glob("*"):
            if not path.name.startswith(JAVA):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        with suppress(OSError):
            (folder / CLOSED).touch()  # before looking: else the JVM might go in between, and nobody remove the folder
        if not any(folder.glob(f"{JAVA}*")):
            shutil.rmtree(folder, ignore_errors=True)


def drop_scratch() -> None:
    """Remove it whole."""
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(place: Path, prefix: str) -> None:
    """Remove what processes that are gone have left in a folder under names of `prefix` and their token."""
    for path in place.glob(f"{glob.escape(prefix)}*"):
        token = TOKEN.match(path.name.removeprefix(prefix))
        if token is not None and is_gone(token[0]):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
