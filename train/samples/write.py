"""Writes the sample images, over all cores."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product, starmap
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError
from train.cli import cores, progress
from train.samples import DRAWINGS, draw_file, file_name

MIN_SIDE_PX: Final = 64
LARGEST: Final = {"per_class": 9999, "max_side": 4096}
WORTH_A_PROCESS: Final = 12
"""Images: a further process takes about as long to start as this many take to draw."""

Job = tuple[str, int, int, int]


def write_samples(out: Path, per_class: int, seed: int, max_side_px: int) -> dict[str, Any]:
    """Draw `per_class` images of every class into OUT/<class>/; returns the summary. Raises DataError."""
    _check(per_class, seed, max_side_px)
    jobs: list[Job] = [(label, index, seed, max_side_px) for label, index in product(DRAWINGS, range(1, per_class + 1))]
    paths = [out / label / file_name(label, index, seed, max_side_px) for label, index, *_ in jobs]
    _prepare(out, paths)
    total = 0
    for path, data in zip(paths, progress(_drawn(jobs), len(jobs), "image", "drawing"), strict=True):
        path.write_bytes(data)
        total += len(data)
    return {"out": str(out), "seed": seed, "images": dict.fromkeys(DRAWINGS, per_class), "bytes": total}


def _check(per_class: int, seed: int, max_side_px: int) -> None:
    if not 1 <= per_class <= LARGEST["per_class"]:
        raise DataError(f"--per-class: wanted 1 to {LARGEST['per_class']}. Received: {per_class}")
    if not MIN_SIDE_PX <= max_side_px <= LARGEST["max_side"]:
        raise DataError(f"--max-side: wanted {MIN_SIDE_PX} to {LARGEST['max_side']}. Received: {max_side_px}")
    if seed < 0:
        raise DataError(f"--seed: wanted 0 or more. Received: {seed}")


def _prepare(out: Path, paths: list[Path]) -> None:
    """Make the folders. Files that this set does not have would end up as training data: refused."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: wanted a folder, found a file")
    ours = set(paths)
    strangers = [file for file in out.rglob("*") if file.is_file() and file not in ours]
    if strangers:
        raise DataError(f"{out}: holds other files already, such as {strangers[0]}; wanted a new or empty folder")
    try:
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DataError(f"{out}: cannot be made ({problem.strerror})") from problem


def _drawn(jobs: list[Job]) -> Iterator[bytes]:
    """The content of every file, in order."""
    workers = min(cores(), len(jobs) // WORTH_A_PROCESS)
    if workers < 2:
        yield from starmap(draw_file, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_draw_job, jobs, chunksize=4)


def _draw_job(job: Job) -> bytes:
    return draw_file(*job)
