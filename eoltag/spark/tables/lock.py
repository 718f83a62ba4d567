"""One run at a time writes into an output directory; what a killed run left behind is mended by the next one."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from eoltag.errors import OutputError
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schema_version import write_schema_version

LOCK_FILE: Final = "lock.json"
_SWAPPED: Final = {
    "tags": 1, "thumbnails": 1, "bundles": 1, "images": 0, "scores": 1, "measures": 1, "features": 1, "pixels": 0,
}  # fmt: skip
"""Table -> how deep below it the folders lie that are swapped whole."""


@contextmanager
def locked(output: Output) -> Iterator[None]:
    """Inside, this run alone writes here. Raises OutputError, as `begin` does."""
    begin(output)
    try:
        yield
    finally:
        end(output)


@contextmanager
def unchanged(output: Output) -> Iterator[None]:
    """Inside, a dry run may stage what Spark has to read; afterwards the directory is as it was, or not there."""
    is_new = not output.files.exists(output.root)
    try:
        yield
    finally:
        end(output)
        if is_new:
            output.files.delete(output.root)


def begin(output: Output) -> None:
    """Take the lock, mark the directory as ours, mend what a killed run left between two renames, drop its leftovers.

    Raises OutputError where another run is at work here, or the directory cannot be written.
    """
    files, staging = output.files, output.path("_staging")
    try:
        files.make_folder(staging)
        _lock(output)
        write_schema_version(files, output.root)
        for leftover in files.names(staging):
            if leftover != LOCK_FILE:
                _restore(output, f"{staging}/{leftover}/replaced")
                files.delete(f"{staging}/{leftover}")
    except OSError as problem:
        raise OutputError(f"{output.root}: cannot be written ({problem})") from problem


def end(output: Output) -> None:
    """Drop this run's staging and its lock."""
    files, staging = output.files, output.path("_staging")
    files.delete(output.staging)
    if _holder(output).get("run_id") == output.run_id:
        files.delete(f"{staging}/{LOCK_FILE}")
    if not files.names(staging):
        files.delete(staging)


def _lock(output: Output) -> None:
    """A second run would drop the first one's staging and fetch the same images. Raises OutputError."""
    holder, file = _holder(output), output.path("_staging", LOCK_FILE)
    if holder and (holder.get("host") != platform.node() or _is_alive(int(holder.get("pid", 0)))):
        raise OutputError(
            f"{output.root}: run {holder.get('run_id')} is at work here (host {holder.get('host')}, process "
            f"{holder.get('pid')}); wait for it, or delete {file} if it is dead"
        )
    holder = {"run_id": output.run_id, "host": platform.node(), "pid": os.getpid()}
    output.files.write_text(file, json.dumps(holder) + "\n")


def _holder(output: Output) -> dict[str, Any]:
    path = output.path("_staging", LOCK_FILE)
    if not output.files.exists(path):
        return {}
    try:
        holder: dict[str, Any] = json.loads(output.files.read_text(path))
    except ValueError:  # cut short by a kill: nobody holds it
        return {}
    return holder


def _is_alive(pid: int) -> bool:
    """Whether there is such a process on this machine, other than this one."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _restore(output: Output, replaced: str) -> None:
    """Put back the folders that a killed run had moved away for a swap, where nothing has come in their place."""
    for table, depth in _SWAPPED.items():
        for relative in _folders(output, f"{replaced}/{table}", depth):
            folder = f"{table}/{relative}".rstrip("/")
            if not output.files.exists(output.path(folder)):
                output.files.move(f"{replaced}/{folder}", output.path(folder))


def _folders(output: Output, folder: str, depth: int) -> list[str]:
    """The folders that lie so deep below this one, as relative paths; itself is the empty one."""
    if depth == 0:
        return [""] if output.files.exists(folder) else []
    names = output.files.names(folder)
    if depth == 1:
        return names
    return [f"{name}/{below}" for name in names for below in _folders(output, f"{folder}/{name}", depth - 1)]
