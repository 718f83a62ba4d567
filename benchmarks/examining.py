"""How fast `train prepare` checks and hashes small files, with one process and with one for each core.

python -m benchmarks.examining [--files 20000]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from train.command import cores
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


def rate(jobs: list[Job], processes: int) -> float:
    """Files a second, starting the processes included."""
    began = time.perf_counter()
    usable = sum(finding.outcome == "ok" for finding in examine_all(jobs, processes))
    assert usable == len(jobs)
    return len(jobs) / (time.perf_counter() - began)


def main() -> None:
    """Prints both rates, the best of three rounds each, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = draw(Path(folder), options.files)
        rounds = [(rate(jobs, 1), rate(jobs, cores())) for _ in range(3)]
    one, all_cores = (max(rates) for rates in zip(*rounds, strict=True))
    ratio = all_cores / one
    print(f"{options.files} files: {one:.0f} a second with 1 process, {all_cores:.0f} with {cores()}; {ratio:.2f} x")


if __name__ == "__main__":
    main()
