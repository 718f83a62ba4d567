"""How fast `train prepare` checks and hashes small files, with one process and with one for each core.

python -m benchmarks.examining [--files 20000] [--rounds 3]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from train.cli import cores
from train.prepare.examine import Finish, Job, examine_all

SIZE = (96, 72)


def draw(folder: Path, count: int) -> list[Job]:
    """So many different JPEG files of some kilobytes."""
    jobs: list[Job] = []
    for number in range(count):
        cells = np.random.default_rng(number).integers(0, 256, (8, 9, 3), np.uint8)
        path = folder / f"{number}.jpg"
        Image.fromarray(cells).resize(SIZE, Image.Resampling.BICUBIC).save(path)
        jobs.append((path, folder / f"{number}_made", Finish()))
    return jobs


class Round(NamedTuple):
    """How long one took, starting the processes included."""

    wall_s: float
    waiting_s: float
    """CPU of this process, which a further core makes no quicker."""
    working_s: float
    """CPU of the others."""


def measure(jobs: list[Job], processes: int) -> Round:
    """All files once."""
    wall, waiting, working = time.perf_counter(), time.process_time(), children_s()
    usable = sum(finding.outcome == "ok" for finding in examine_all(jobs, processes))
    assert usable == len(jobs)
    return Round(time.perf_counter() - wall, time.process_time() - waiting, children_s() - working)


def children_s() -> float:
    """CPU of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Prints both rates, the best of some rounds each, their ratio, and what the waiting process itself used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = draw(Path(folder), options.files)
        rounds = [(measure(jobs, 1), measure(jobs, cores())) for _ in range(options.rounds)]
    one, many = (min(those) for those in zip(*rounds, strict=True))
    rates = [options.files / each.wall_s for each in (one, many)]
    print(
        f"{options.files} files: {rates[0]:.0f} a second with 1 process, {rates[1]:.0f} with {cores()}: "
        f"{one.wall_s / many.wall_s:.2f} x"
    )
    share = many.waiting_s / (many.waiting_s + many.working_s)
    used = many.waiting_s + many.working_s
    print(f"CPU: {one.waiting_s:.1f} s with 1 process, {used:.1f} with {cores()}, {share:.1%} of it to wait for them")


if __name__ == "__main__":
    main()
