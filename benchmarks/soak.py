"""Many fetches with faults in one process: whether memory, sockets and threads stay flat.

    make bench-soak [ARGS="--count 50000"]

A server on this machine answers two thirds of the requests well and the others in every bad way: refusals, cut and
endless bodies, silence, answers that are no HTTP, redirects, closed connections. Images are fetched 1,000 at a time,
as Spark tasks do, and what the process holds is noted every 100. After the warm-up, the first fifth, a straight line is
laid through each figure: its rise up to the end must stay below 1 % of the mean (sockets, files and threads: or below
one), two standard errors of the line aside. Exit code 1 where it does not. Figures go to build/bench/soak.json.
"""

import argparse
import gc
import json
import random
import subprocess
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import psutil

from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.records import FetchRequest
from eoltag.settings import FetchSettings

ROOT: Final = Path(__file__).resolve().parent.parent
FIGURES: Final = ROOT / "build/bench/soak.json"
PICTURE: Final = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 160
PATHS: Final = (
    (64, "/files/picture.jpg?{n}"),
    (4, "/flaky/502/1/picture.jpg?{n}"),
    (0.02, "/flaky/429/1/picture.jpg?{n}"),
    (4, "/status/404/{n}.jpg"),
    (3, "/status/500/{n}.jpg"),
    (3, "/gzip/picture.jpg?{n}"),
    (3, "/redirect/302/{n}.jpg?to=/files/picture.jpg"),
    (2, "/cut/picture.jpg?{n}"),
    (2, "/flaky-cut/1/picture.jpg?{n}"),
    (2, "/close/{n}.jpg"),
    (2, "/garbage/{n}.jpg"),
    (2, "/bad-header/{n}.jpg"),
    (2, "/big-chunked/300000/{n}.jpg"),
    (2, "/robots/noai/picture.jpg?{n}"),
    (1, "/redirect-loop/{n}.jpg"),
    (1, "/late-status/404/{n}.jpg"),
    (1, "/endless/{n}.jpg"),
    (1, "/stall/picture.jpg?{n}"),
    (1, "/bomb/3000000/{n}.jpg"),
)
"""How often of a hundred, and what is asked for. 429 is rare, since each slows the host down for seconds."""
SETTINGS: Final = FetchSettings(
    allow_private_hosts=True,
    attempts=2,
    backoff_base_s=0.01,
    deadline_s=0.5,
    max_bytes=1_000_000,
    hosts={"127.0.0.1": 0.0},
)
FIGURE_NAMES: Final = ("memory_mb", "sockets", "files", "threads")
A_TASK: Final = 1_000
A_SAMPLE: Final = 100
WARM_UP: Final = 0.2
MOST_RISE: Final = 0.01


def main() -> int:
    """Fetch, and print what the process held."""
    count: int = parser().parse_args().count
    samples = array("d")  # a list would grow by more than what is looked for
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    with server() as base:
        for first in range(0, count, A_TASK):
            outcomes += fetched(base, first, min(A_TASK, count - first), samples)
    seconds = time.monotonic() - began
    series = {name: list(samples[place :: len(FIGURE_NAMES)]) for place, name in enumerate(FIGURE_NAMES)}
    rises = {name: rise(values) for name, values in series.items()}
    document = {"count": count, "seconds": round(seconds, 1), "outcomes": outcomes, "rises": rises, "samples": series}
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{count:,} fetches in {seconds:,.0f} s: {dict(outcomes.most_common())}")
    is_flat = True
    for name, (mean, change, error) in rises.items():
        limit = mean * MOST_RISE if name == "memory_mb" else max(mean * MOST_RISE, 1.0)
        is_flat = is_flat and change - 2 * error < limit
        part = change / mean
        print(f"{name:<10} mean {mean:7.1f}   rise after the warm-up {change:+7.2f} +- {error:.2f}   ({part:+.2%})")
    return 0 if is_flat else 1


def fetched(base: str, first: int, count: int, samples: "array[float]") -> Counter[str]:
    """The outcomes of so many images. samples: grows by what the process holds meanwhile."""
    chosen = random.Random(first)
    weights = [weight for weight, _ in PATHS]
    urls = [base + path.format(n=first + at) for at, (_, path) in enumerate(chosen.choices(PATHS, weights, k=count))]
    outcomes: Counter[str] = Counter()
    images = fetch_ahead(urls, FetchRequest, SETTINGS, rate_share=1.0, max_images=64, max_bytes=64_000_000)
    for _, image in images:
        outcomes[str(image.outcome)] += 1
        if outcomes.total() % A_SAMPLE == 0:
            samples.extend(sample())
    return outcomes


def sample() -> tuple[float, ...]:
    """What this process holds now: a number for each of FIGURE_NAMES."""
    gc.collect()
    process = psutil.Process()
    sockets, threads = len(process.net_connections()), threading.active_count()
    return process.memory_info().rss / 1e6, float(sockets), float(process.num_fds()), float(threads)


def rise(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean after the warm-up, by how much a straight line rises from there to the end, and its standard error."""
    settled = np.array(values[int(len(values) * WARM_UP) :])
    place = np.linspace(-0.5, 0.5, len(settled))
    change = float((place * settled).sum() / (place**2).sum())
    left = settled - settled.mean() - change * place
    error = float(np.sqrt((left**2).mean() / (place**2).sum()))
    return round(float(settled.mean()), 3), round(change, 3), round(error, 3)


@contextmanager
def server() -> Iterator[str]:
    """The address of a server that fails as it is told, in a process of its own."""
    with TemporaryDirectory(prefix="eoltag-soak-") as folder:
        (Path(folder) / "picture.jpg").write_bytes(PICTURE)
        command = [sys.executable, "-m", "tests.support.loopback", "--root", folder]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as running:
            try:
                assert running.stdout is not None
                yield running.stdout.readline().strip()
            finally:
                running.terminate()


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--count", type=int, default=50_000, help="fetches (default: 50,000)")
    return made


if __name__ == "__main__":
    sys.exit(main())
