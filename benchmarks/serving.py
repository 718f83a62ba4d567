"""`serve` under load against one image at a time, side by side: same pictures, weights, clients and machine in one run.

    make bench-serve [ARGS="--requests 1000 --clients 16 --folder PHOTOS --runs 3"]

Arms, alternating: a server that handles one request at a time and calls Keras' `predict` for each image, as the
toolkits did; our server with one client that waits for each answer; our server with all clients at once. Each server is
a process of its own. The results are ratios and CPU time; the rates hold for this machine only.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from threading import local
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
WARM_UP = 20
TOLERANCE = 1e-4
BOUNDARY = "bench-serve"


@dataclass(frozen=True)
class Run:
    """One arm, once."""

    images_per_s: float
    cpu_ms: float
    """Of the server, for each image."""
    latency_ms: float
    """Median."""
    answers: list[dict[str, float]]


@dataclass(frozen=True)
class Server:
    """A server's process and port."""

    process: psutil.Process
    port: int


def main() -> None:
    """Runs the arms and prints the table; the numbers also go to build/bench/serving.json."""
    parser = argparse.ArgumentParser(prog="make bench-serve", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000, help="for our server (default 1000)")
    parser.add_argument("--naive-requests", type=int, default=150, help="for the other one (default 150)")
    parser.add_argument("--clients", type=int, default=16, help="at once (default 16)")
    parser.add_argument("--folder", type=Path, help="photos to send; default: samples drawn here")
    parser.add_argument("--runs", type=int, default=3, help="of each arm, alternating (default 3)")
    options = parser.parse_args()
    package = BUILD / "mobilenet_v2"
    if not (package / "card.json").is_file():
        subprocess.run([sys.executable, "-m", "benchmarks.models", str(package)], cwd=ROOT, check=True)
    bodies = list(islice(cycle(_bodies(options.folder or _samples())), options.requests))
    ours = [sys.executable, "-m", "train", "serve", str(package), "--port", "0"]
    naive = [sys.executable, "-m", "benchmarks.naive_server", str(package)]
    results: dict[str, list[Run]] = {}
    with started(naive) as other, started(ours) as server:
        for _ in range(options.runs):
            arms = (
                ("one at a time, Keras predict", other, bodies[: options.naive_requests], 1),
                ("serve, one client", server, bodies, 1),
                (f"serve, {options.clients} clients", server, bodies, options.clients),
            )
            for name, target, requests, clients in arms:
                results.setdefault(name, []).append(load(target, requests, clients))
                print(f"{name}: {results[name][-1].images_per_s:.1f} images/s", file=sys.stderr, flush=True)
    check(*list(results.values())[1:])
    show(results)


@contextmanager
def started(command: Sequence[str]) -> Iterator[Server]:
    """A server that has said on which port it listens."""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = next(filter(None, (re.search(r"http://127\.0\.0\.1:(\d+)", line) for line in process.stderr)))
            yield Server(psutil.Process(process.pid), int(found.group(1)))
        finally:
            process.terminate()
            process.stderr.read()


def load(server: Server, bodies: Sequence[bytes], clients: int) -> Run:
    """All requests through so many clients, each of which waits for its answer. Raises where one is lost."""
    connections = local()

    def ask(body: bytes) -> tuple[float, dict[str, float]]:
        began = time.perf_counter()
        if not hasattr(connections, "http"):
            connections.http = HTTPConnection("127.0.0.1", server.port, timeout=120)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        connections.http.request("POST", "/classify", body, {"Content-Type": kind})
        response = connections.http.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != 200 or not answer["success"]:
            raise RuntimeError(f"lost: {response.status} {answer}")
        return time.perf_counter() - began, {each["label"]: each["probability"] for each in answer["predictions"]}

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, bodies[:WARM_UP]))
        cpu_before, began = server.process.cpu_times(), time.perf_counter()
        answers = list(pool.map(ask, bodies))
        took_s, cpu = time.perf_counter() - began, server.process.cpu_times()
    cpu_s = cpu.user + cpu.system - cpu_before.user - cpu_before.system
    latency_ms = 1000 * median(seconds for seconds, _ in answers)
    return Run(len(bodies) / took_s, 1000 * cpu_s / len(bodies), latency_ms, [scores for _, scores in answers])


def check(alone: list[Run], together: list[Run]) -> None:
    """Raises where an answer under load is not the one that the same picture gets alone."""
    for one, other in zip(alone[0].answers, together[-1].answers, strict=True):
        if any(abs(one[label] - other[label]) > TOLERANCE for label in one):
            raise RuntimeError(f"mixed up: {one} alone, {other} under load")


def show(results: dict[str, list[Run]]) -> None:
    """The medians."""
    rates = {name: median(run.images_per_s for run in runs) for name, runs in results.items()}
    first, second = list(rates.values())[:2]
    print(f"\n{'arm':<30}{'images/s':>10}{'range':>18}{'CPU ms/image':>14}{'latency ms':>12}{'ratio':>7}{'':>3}")
    for name, runs in results.items():
        spread = f"{min(run.images_per_s for run in runs):.1f} to {max(run.images_per_s for run in runs):.1f}"
        cpu, latency = median(run.cpu_ms for run in runs), median(run.latency_ms for run in runs)
        print(f"{name:<30}{rates[name]:>10.1f}{spread:>18}{cpu:>14.1f}{latency:>12.1f}{rates[name] / first:>6.1f}x")
    last = list(rates.values())[-1]
    print(f"{len(list(results.values())[-1][0].answers)} requests at once, none lost, none mixed up; ", end="")
    print(f"{last / first:.1f}x one at a time with predict, {last / second:.1f}x one client of our server")
    cpu_ms = [median(run.cpu_ms for run in runs) for runs in results.values()]
    print(f"CPU for an image: {cpu_ms[0] / cpu_ms[-1]:.1f}x less than one at a time; a busy machine changes this least")
    kept = {name: [[run.images_per_s, run.cpu_ms, run.latency_ms] for run in runs] for name, runs in results.items()}
    (BUILD / "serving.json").write_text(json.dumps(kept, indent=2) + "\n")


def _bodies(folder: Path) -> list[bytes]:
    """A multipart body for every picture."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="img"; filename="a.jpg"\r\n\r\n'.encode()
    return [start + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode() for path in files]


def _samples() -> Path:
    folder = BUILD / "serving_samples"
    if not folder.is_dir():
        command = [sys.executable, "-m", "train", "sample-data", str(folder), "--per-class", "20", "--max-side", "640"]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


if __name__ == "__main__":
    main()
