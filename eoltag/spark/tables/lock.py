"""One run at a time writes into an output directory; what a killed run left behind is mended by the next one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from eoltag.errors import OutputError, UsageError
from eoltag.local import signals, swaps
from eoltag.local.claims import STALE_S, Claim, Heartbeat, own_claim, take
from eoltag.local.disk import disk_problem
from eoltag.local.files import HALF_WRITTEN
from eoltag.spark.tables.files import is_local
from eoltag.spark.tables.output import SWAPS, Output
from eoltag.spark.tables.schema_version import write_schema_version

FOLDER: Final = "_staging/lock"
"""Holds a claim for each run that has the directory or wants it."""
_SWAPPED: Final = {
    "tags": 1, "thumbnails": 1, "bundles": 1, "images": 0, "scores": 1, "measures": 1, "features": 1, "pixels": 0,
}  # fmt: skip
"""Table -> how deep below it the folders lie that are swapped whole."""
_NOTES: Final = ("", "runs", "report", "decided", "models", "bundles")
"""Folders with small files, each written beside its place first."""


@contextmanager
def locked(output: Output, stale_s: float = STALE_S) -> Iterator[None]:
    """Inside, this run alone writes here. Raises OutputError, as `begin` does, and for a disk or a lock that is gone.

    stale_s: a run that gives no sign of life for so long counts as dead.
    """
    signals.set_needs_java(needs=not is_local(output.root))
    heartbeat = None
    try:
        with signals.deferred():
            heartbeat = _heartbeat(output, begin(output, stale_s))
        yield
    except UsageError:
        raise
    except Exception as problem:
        output.check_lock()  # in a directory that is not there any more, anything may break
        cause = disk_problem(problem, *([output.root] if is_local(output.root) else []))
        if cause is None:
            raise
        raise OutputError(cause) from problem
    finally:
        with signals.deferred():
            if heartbeat is not None:
                _quiet_java(output)
                heartbeat.stop()
                output.guard.check = None
                end(output)


def _heartbeat(output: Output, held: Claim) -> Heartbeat:
    """Signs of life have begun, and what is moved into place asks first whether the lock still stands."""

    def lost(problem: OutputError) -> None:
        signals.stop_because(OutputError(f"{output.root}: {problem}"))

    heartbeat = Heartbeat(output.files, output.path(FOLDER), held, lost)
    output.guard.check = heartbeat.check
    heartbeat.start()
    return heartbeat


def _quiet_java(output: Output) -> None:
    """After a signal: what runs would write below _staging while that is deleted, and log that it was broken off."""
    if signals.exit_code() is not None and signals.needs_java():
        with suppress(Exception):
            output.session.sparkContext.setLogLevel("OFF")
            output.session.sparkContext.cancelAllJobs()


@contextmanager
def unchanged(output: Output) -> Iterator[None]:
    """Inside, a dry run may stage what Spark has to read; afterwards the directory is as it was, or not there."""
    is_new = not output.files.exists(output.root)
    signals.set_needs_java(needs=not is_local(output.root))
    try:
        yield
    finally:
        end(output)
        if is_new and output.files.exists(output.root):
            output.files.delete_empty(output.root)


def begin(output: Output, stale_s: float = STALE_S) -> Claim:
    """Take the lock, mark the directory as ours, mend what a killed run left between two renames, drop its leftovers.

    Raises OutputError where another run is at work here, or the directory cannot be written.
    """
    files, staging = output.files, output.path("_staging")
    try:
        files.make_folder(output.path(FOLDER))
        held = take(files, output.path(FOLDER), own_claim(output.run_id, stale_s))
        write_schema_version(files, output.root)
        swaps.mend(files, output.root, output.path(SWAPS))
        for leftover in files.names(staging):
            if leftover not in (FOLDER.rpartition("/")[2], SWAPS.rpartition("/")[2]):
                _restore(output, f"{staging}/{leftover}/replaced")
                files.delete(f"{staging}/{leftover}")
        for folder in _NOTES:
            for name in files.names(output.path(folder)):
                if name.endswith(HALF_WRITTEN):
                    files.delete(output.path(*filter(None, (folder, name))))
        return held
    except OSError as problem:
        raise OutputError(f"{output.root}: cannot be written ({problem})") from problem
    except OutputError as problem:
        raise OutputError(f"{output.root}: {problem}") from problem


def end(output: Output) -> None:
    """Drop this run's staging and its lock."""
    files = output.files
    files.delete(output.staging)
    files.delete(output.path(FOLDER, f"{output.run_id}.json"))
    for folder in (FOLDER, SWAPS, "_staging"):
        if files.exists(output.path(folder)):
            files.delete_empty(output.path(folder))


def _restore(output: Output, replaced: str) -> None:
    """Put back the folders that a killed run had moved away for a swap, where nothing has come in their place."""
    for table, depth in _SWAPPED.items():
        for relative in _folders(output, f"{replaced}/{table}", depth):
            folder = f"{table}/{relative}".rstrip("/")
            if not output.files.exists(output.path(folder)):
                output.files.move(f"{replaced}/{folder}", output.path(folder))


def _folders(output: Output, folder: str, depth: int) -> list[str]:
    """The folders that lie so deep below this one, as relative paths; itself is the empty one."""
    if not output.files.exists(folder):
        return []
    if depth == 0:
        return [""]
    names = output.files.names(folder)
    if depth == 1:
        return names
    return [f"{name}/{below}" for name in names for below in _folders(output, f"{folder}/{name}", depth - 1)]
