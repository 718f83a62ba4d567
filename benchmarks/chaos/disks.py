"""A disk that is too small, and an output directory that somebody deletes: one line, and the next run mends it."""

import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.chaos.comparing import compare
from benchmarks.chaos.place import PATIENCE_S, Place, ended, lines_of, start, undisturbed, waited
from benchmarks.chaos.told import Told

_PART: Final = 0.5
"""Of what an output takes: so large is the disk at first."""
_ENOUGH: Final = "200m"
_PAGE: Final = 4096


def full(place: Place) -> Told:
    """A small file system in memory for the output; later it grows, and the same command goes on."""
    undisturbed(place, "fetching", place.tag("fetching", "one"))
    told, disk = Told("full disk"), place.output("disk")
    disk.mkdir()
    files = [path for path in place.output("fetching").rglob("*") if path.is_file()]
    pages = sum(1 + path.stat().st_size // _PAGE for path in files)
    problem = _mount(disk, f"size={int(pages * _PAGE * _PART)}")
    if problem:
        told.skipped = f"no file system can be mounted here ({problem})"
        return told
    try:
        _broken_off(place, told, str(disk), "No space left on device")
        _mount(disk, f"remount,size={_ENOUGH}")
        ended(place, place.tag("disk", "one"), told)
        compare(place, "fetching", "disk", told)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
    return told


def deleted(place: Place) -> Told:
    """The output goes when its first wave is there."""
    undisturbed(place, "fetching", place.tag("fetching", "one"))
    told, output = Told("deleted"), place.output("deleted")
    command, log = place.tag("deleted", "one"), place.folder / "log.txt"
    job = start(place, command, log)
    until = time.monotonic() + PATIENCE_S
    while not list((output / "images").glob("*.parquet")) and time.monotonic() < until and job.poll() is None:
        time.sleep(0.02)
    while output.exists():  # Spark may be writing there
        with suppress(OSError):
            shutil.rmtree(output)
    _check_end(waited(place, job, told), log, told, str(output))
    ended(place, command, told)
    compare(place, "fetching", "deleted", told)
    return told


def _broken_off(place: Place, told: Told, *words: str) -> None:
    log = place.folder / "log.txt"
    _check_end(waited(place, start(place, place.tag("disk", "one"), log), told), log, told, *words)


def _check_end(code: int, log: Path, told: Told, *words: str) -> None:
    """A run that could not go on says so in one line, with these words."""
    told.starts, told.blows = told.starts + 1, told.blows + 1
    lines = lines_of(log)
    if code != 2 or len(lines) != 1 or not all(word in lines[0] for word in words):
        told.wrongly(f"exit code {code}, {len(lines)} lines: {' | '.join(lines[:4])}")
    elif "nothing was written" in lines[0]:
        told.wrongly(f"it claims that nothing was written: {lines[0]}")


def _mount(folder: Path, options: str) -> str:
    """The problem; empty where there is none."""
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
    except OSError as problem:
        return str(problem)
    return " ".join(done.stderr.split()) or ("" if done.returncode == 0 else f"exit code {done.returncode}")
