"""How many executors, hours and core-hours a number of images takes, from figures that were measured.

    python -m benchmarks.sizing --images 1e6 10e6 100e6 --requests-per-s 10 100 1000
    python -m benchmarks.sizing --write docs/explanation/scaling.md

Reads build/bench/parts.json (make bench-parts) and, where they are there, scale.json and plumbing.json (make bench-
scale), throughput.json (make bench) and gpu.json. Without parts.json there is nothing to compute from, and it says so.
The arithmetic and its assumptions are in the functions below and in docs/explanation/scaling.md. --write puts the
tables between the two markers of that page.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.server import ROOT
from eoltag.spark.requests import IMAGES_PER_FILE

FIGURES: Final = ROOT / "build" / "bench"
BEGIN: Final = "<!-- tables of benchmarks.sizing: begin -->"
END: Final = "<!-- tables of benchmarks.sizing: end -->"

EPHEMERAL_PORTS: Final = 28_232
"""Of one address towards one server: Linux's default net.ipv4.ip_local_port_range, 32768 to 60999."""
TIME_WAIT_S: Final = 60.0
"""How long Linux keeps the port of a connection that it closed (TCP_TIMEWAIT_LEN)."""
SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; None where it was not."""

    cpu_s_per_image: float
    """Fetch, decode and infer, on one core."""
    decode_s_per_image: float
    fetch_s_per_image: float
    infer_s_per_image: float
    share_of_bound: float | None
    """What a warm run reaches of cores / cpu_s_per_image."""
    plumbing_s_per_row: float | None
    """The job's own time a row, all of it, on the machine that was measured."""
    again_s_per_row: float | None
    """A run with nothing to do."""
    gpu_images_per_s: float | None
    """Inference alone on one GPU."""

    @property
    def core_s_per_image(self) -> float:
        """What an image takes of a core in a run, idle moments included."""
        return self.cpu_s_per_image / (self.share_of_bound or 1.0)


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is there to work with."""

    cores_per_executor: int
    concurrency: int
    """Requests in flight for each core (fetch.concurrency)."""
    latency_s: float
    """From a request to the last byte of its image."""
    wave_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What one number of images at one request rate comes to."""

    images: int
    requests_per_s: float
    cores: int
    """The fewest that keep up with the rate."""
    executors: int
    hours: float
    core_hours: float
    """Of the executors, for as long as it takes."""
    busy_core_hours: float
    """Of that, work: what a cluster that shares its cores would be charged."""
    connections: int
    """In flight on average: rate x latency (Little's law)."""
    files: int
    """Parquet files of images, and as many of scores for each model, before compaction."""


def plan(images: int, requests_per_s: float, figures: Figures, cluster: Cluster) -> Plan:
    """Cores that keep up with the request rate: enough for the CPU work, and enough connections for the latency."""
    connections = requests_per_s * cluster.latency_s
    cores = max(ceil(requests_per_s * figures.core_s_per_image), ceil(connections / cluster.concurrency), 1)
    executors = ceil(cores / cluster.cores_per_executor)
    used = min(cores, executors * cluster.cores_per_executor)
    hours = images / requests_per_s / SECONDS_PER_HOUR
    waves = ceil(images / (requests_per_s * cluster.wave_s))
    per_wave = min(images, requests_per_s * cluster.wave_s)
    return Plan(
        images=images,
        requests_per_s=requests_per_s,
        cores=used,
        executors=executors,
        hours=hours,
        core_hours=executors * cluster.cores_per_executor * hours,
        busy_core_hours=images * figures.core_s_per_image / SECONDS_PER_HOUR,
        connections=ceil(connections),
        files=waves * (1 + int(per_wave) // IMAGES_PER_FILE),
    )


def limits(figures: Figures, cluster: Cluster) -> list[tuple[str, float | None, str]]:
    """(what, images a second at which it becomes the bottleneck, why); None where it was not measured."""
    driver = 1 / figures.plumbing_s_per_row if figures.plumbing_s_per_row else None
    executor = cluster.cores_per_executor / figures.core_s_per_image
    return [
        ("one core", 1 / figures.core_s_per_image, "fetch, decode and infer"),
        (f"one executor of {cluster.cores_per_executor} cores", executor, "the same, all its cores"),
        (
            "NAT, a new connection for every image",
            EPHEMERAL_PORTS / TIME_WAIT_S,
            f"{EPHEMERAL_PORTS:,} ports of one public address towards one server, each kept {TIME_WAIT_S:.0f} s",
        ),
        (
            "NAT, connections kept open",
            EPHEMERAL_PORTS / cluster.latency_s,
            f"{EPHEMERAL_PORTS:,} connections at a time, {1000 * cluster.latency_s:.0f} ms an image",
        ),
        ("driver and plumbing", driver, "reading, planning, waves, writing, TSV, as measured on one machine"),
    ]


def gpu_feeding_cores(figures: Figures) -> float | None:
    """Cores that must fetch and decode for one GPU to be busy; None where no GPU was measured."""
    if figures.gpu_images_per_s is None:
        return None
    return figures.gpu_images_per_s * (figures.fetch_s_per_image + figures.decode_s_per_image)


def read_figures(folder: Path) -> Figures:
    """From the JSON files that the benchmarks left. Raises FileNotFoundError where parts.json is missing."""
    parts = json.loads((folder / "parts.json").read_text())
    plumbing, scale = _read(folder / "plumbing.json"), _read(folder / "scale.json")
    gpu = _read(folder / "gpu.json")
    cost = {name: part["cpu_s_per_image"] for name, part in parts["parts"].items()}
    return Figures(
        cpu_s_per_image=parts["cpu_s_per_image"],
        decode_s_per_image=cost["decode"],
        fetch_s_per_image=cost["fetch"],
        infer_s_per_image=cost["infer"],
        share_of_bound=_share_of_bound(_read(folder / "throughput.json"), parts),
        plumbing_s_per_row=plumbing["sizes"][-1]["s_per_row"] if plumbing else None,
        again_s_per_row=scale["sizes"][-1]["again_s"] / scale["sizes"][-1]["rows"] if scale else None,
        gpu_images_per_s=gpu["images_per_s"] if gpu else None,
    )


def tables(counts: Sequence[int], rates: Sequence[float], figures: Figures, cluster: Cluster) -> str:
    """All tables as Markdown."""
    plans = [plan(count, rate, figures, cluster) for count in counts for rate in rates]
    share = f"{figures.share_of_bound:.0%}" if figures.share_of_bound else "not measured, taken as 100 %"
    measured = [
        f"Measured: {1000 * figures.cpu_s_per_image:.2f} CPU ms an image and core "
        f"(fetch {1000 * figures.fetch_s_per_image:.2f}, decode {1000 * figures.decode_s_per_image:.2f}, "
        f"infer {1000 * figures.infer_s_per_image:.2f}); share of that bound in a warm run: {share}.",
        f"Assumed: executors of {cluster.cores_per_executor} cores, {cluster.concurrency} requests in flight a core, "
        f"{1000 * cluster.latency_s:.0f} ms an image, waves of {cluster.wave_s:.0f} s.",
    ]
    sizes = _table(
        ("images", "requests/s", "hours", "cores", "executors", "core-hours", "of which work", "in flight", "files"),
        [
            (
                f"{row.images:,}",
                f"{row.requests_per_s:,.0f}",
                f"{row.hours:,.1f}",
                f"{row.cores:,}",
                f"{row.executors:,}",
                f"{row.core_hours:,.1f}",
                f"{row.busy_core_hours:,.1f}",
                f"{row.connections:,}",
                f"{row.files:,}",
            )
            for row in plans
        ],
    )
    edges = _table(
        ("what", "images/s at which it is the bottleneck", "why"),
        [(what, f"{rate:,.0f}" if rate else "not measured", why) for what, rate, why in limits(figures, cluster)],
    )
    return "\n\n".join([*measured, sizes, edges, _gpu_text(figures)])


def main() -> int:
    """Print the tables, or write them into a page."""
    options = parser().parse_args()
    cluster = Cluster(options.cores_per_executor, options.concurrency, options.latency_ms / 1000, options.wave_s)
    try:
        figures = read_figures(options.figures)
    except FileNotFoundError as problem:
        print(f"error: {problem.filename}: not there yet; run make bench-parts first", file=sys.stderr)
        return 2
    found = tables([int(count) for count in options.images], options.requests_per_s, figures, cluster)
    if options.write is None:
        print(found)
    else:
        page = options.write.read_text(encoding="utf-8")
        options.write.write_text(replaced(page, found), encoding="utf-8")
    return 0


def replaced(page: str, found: str) -> str:
    """The page with other tables between its markers. Raises ValueError where it has none."""
    before, _, rest = page.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise ValueError(f"the page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{found}\n\n{END}{after}"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--images", type=float, nargs="+", default=[1e6, 10e6, 100e6], metavar="N")
    new.add_argument("--requests-per-s", type=float, nargs="+", default=[10, 100, 1000], metavar="R")
    new.add_argument("--cores-per-executor", type=int, default=4, metavar="N")
    new.add_argument("--concurrency", type=int, default=16, metavar="N", help="requests in flight a core (default 16)")
    new.add_argument("--latency-ms", type=float, default=200, metavar="MS", help="request to last byte (default 200)")
    new.add_argument("--wave-s", type=float, default=300, metavar="S", help="run.wave_s (default 300)")
    new.add_argument("--figures", type=Path, default=FIGURES, metavar="DIR", help="where the JSON files lie")
    new.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    return new


def _share_of_bound(throughput: Mapping[str, Any] | None, parts: Mapping[str, Any]) -> float | None:
    """Warm eoltag in f32 without latency, over the bound; at most 1. Both must be of the same images."""
    if throughput is None or throughput["images"] != parts["images"]:
        return None
    runs = [run for run in throughput["runs"] if run["arm"] == "Gw" and run["latency_ms"] == 0 and run["work_s"]]
    if not runs:
        return None
    rate: float = median(run["images"] / run["work_s"] for run in runs)
    return min(1.0, rate / float(parts["bound_images_per_s"]))


def _gpu_text(figures: Figures) -> str:
    cores = gpu_feeding_cores(figures)
    if cores is None or figures.gpu_images_per_s is None:
        return "GPU: not measured here."
    cpu = figures.gpu_images_per_s * figures.core_s_per_image
    return (
        f"GPU: {figures.gpu_images_per_s:,.0f} images/s of inference. It takes {cores:,.0f} cores to fetch and decode "
        f"for it; {cpu:,.0f} cores do the same work without a GPU."
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


if __name__ == "__main__":
    sys.exit(main())
