"""eoltag and its peers, side by side: the same images, web server, weights, resize and machine in one run.

    make bench [ARGS="--images PHOTOS --count 3000 --runs 5 --arms A,B,G"]

Every arm (benchmarks/arms) is a program that takes a list of URLs and leaves a label for each. Its cold time is all of
that program: interpreter, imports, model, fetching, writing. Arms take turns; the table shows medians and ranges. An
arm that cannot run is a row that says why. Table and JSON go to build/bench/throughput.{md,json}.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from benchmarks.arms import ARMS, Arm
from benchmarks.arms.command import CORES, WORK_FILE, read_labels
from benchmarks.environments import PeerUnavailableError, peer_bin
from benchmarks.photos import drawn_pictures, model_package, name_of, photo_names, url_list
from benchmarks.reference import reference_labels
from benchmarks.results import Run, table
from benchmarks.server import ROOT, Server, served
from benchmarks.usage import Usage, run_measured

BUILD: Final = ROOT / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs share."""

    names: Sequence[str]
    """Images, relative to the folder that is served."""
    reference: dict[str, str]
    package: Path
    count: int
    slow_count: int
    build: Path


def main() -> None:
    """All runs, then the tables."""
    options = parser().parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    drawn = drawn_pictures(BUILD / "samples")
    folder = (options.images or drawn).resolve()
    package = (options.package or model_package(BUILD / "mobilenet_v2")).resolve()
    reference = reference_labels(package, folder, BUILD)
    setting = Setting(photo_names(folder), reference, package, options.count, options.slow_count, BUILD)
    arms = [ARMS[key] for key in options.arms]
    runs: list[Run] = []
    for number, latency_ms in tqdm(list(product(range(options.runs), options.latency_ms)), desc="rounds", unit="round"):
        with served(folder, latency_ms / 1000) as server:
            for arm in arms[number % len(arms) :] + arms[: number % len(arms)]:
                runs.append(run_arm(arm, setting, server, latency_ms))
                write(runs, options, server.kind)
    print((BUILD / "throughput.md").read_text())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--images", type=Path, metavar="DIR", help="photos to serve; default: pictures drawn here")
    new.add_argument("--package", type=Path, metavar="DIR", help="model package; default: MobileNetV2 made here")
    new.add_argument("--count", type=int, default=3000, metavar="N", help="images for an arm (default 3000)")
    new.add_argument("--slow-count", type=int, default=300, metavar="N", help="for slow arms: A, C (default 300)")
    new.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each arm (default 5)")
    new.add_argument("--latency-ms", type=int, nargs="+", default=[0, 80], metavar="MS", help="default: 0 80")
    keys = ", ".join(f"{arm.key} {arm.title}" for arm in ARMS.values())
    new.add_argument(
        "--arms", type=_keys, default=list(ARMS), metavar="KEYS", help=f"default all, separated by commas: {keys}"
    )
    return new


def run_arm(arm: Arm, setting: Setting, server: Server, latency_ms: int) -> Run:
    """The arm once, as a process of its own; what goes wrong is its `problem`."""
    out = setting.build / "arm" / arm.key
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    urls = url_list(setting.names, server, setting.slow_count if arm.is_slow else setting.count)
    listing = out / "urls.txt"
    listing.write_text("\n".join(urls) + "\n")
    try:
        command = command_of(arm, setting, listing, out / "result")
    except PeerUnavailableError as problem:
        return _run_of(arm, latency_ms, len(urls), _NOTHING, 0.0, {}, [], f"cannot be installed: {problem}")
    server_before = server.cpu_s()
    usage = run_measured(command, cwd=ROOT, env=_environment())
    server_cpu_s = server.cpu_s() - server_before
    work = out / "result" / WORK_FILE
    if usage.code or not work.is_file():
        (out / "errors.txt").write_text(usage.errors)
        last = (usage.errors.strip().splitlines() or [""])[-1][:200]
        problem_text = f"exit code {usage.code}: {last}"
        return _run_of(arm, latency_ms, len(urls), usage, server_cpu_s, {}, [], problem_text)
    labels = read_labels(out / "result")
    agreements = [setting.reference.get(name_of(url)) == labels[url] for url in urls if url in labels]
    return _run_of(arm, latency_ms, len(urls), usage, server_cpu_s, json.loads(work.read_text()), agreements, None)


def command_of(arm: Arm, setting: Setting, listing: Path, out: Path) -> list[str]:
    """How to start it. Raises PeerUnavailableError."""
    python = sys.executable
    options = ["--urls", str(listing), "--package", str(setting.package), "--out", str(out), *arm.options]
    if arm.environment is not None:
        peer = peer_bin(arm.environment, setting.build / "envs")
        if arm.environment == "img2dataset":
            options += ["--downloader", str(peer / "img2dataset")]
        else:
            python = str(peer / "python")
    if arm.is_submitted:
        return ["./spark-submit.sh", f"benchmarks/arms/{arm.module}.py", *options]
    return [python, "-m", f"benchmarks.arms.{arm.module}", *options]


_NOTHING: Final = Usage(code=1, wall_s=0.0, cpu_s=0.0, peak_rss_mb=0.0, peak_by_kind_mb={}, output="", errors="")


def _run_of(
    arm: Arm,
    latency_ms: int,
    images: int,
    usage: Usage,
    server_cpu_s: float,
    work: dict[str, Any],
    agreements: list[bool],
    problem: str | None,
) -> Run:
    return Run(
        arm=arm.key,
        title=arm.title,
        latency_ms=latency_ms,
        images=images,
        wall_s=usage.wall_s,
        work_s=work.pop("work_s", None),
        cpu_s=usage.cpu_s,
        peak_rss_mb=usage.peak_rss_mb,
        peak_by_kind_mb=usage.peak_by_kind_mb,
        server_cpu_s=server_cpu_s,
        completed=len(agreements),
        agreeing=sum(agreements),
        problem=problem,
        notes=work,
        is_warm=arm.is_warm,
    )


def write(runs: Sequence[Run], options: argparse.Namespace, server: str) -> None:
    """All that is known so far, after every run: a long measurement may be stopped."""
    document = {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "server": server,
        "count": options.count,
        "images": str(options.images.name) if options.images else "drawn",
        "runs": [asdict(run) for run in runs],
    }
    (BUILD / "throughput.json").write_text(json.dumps(document, indent=2) + "\n")
    parts = [f"# Side by side: {options.count:,} images, {CORES} cores, {server} on loopback"]
    for latency_ms in sorted({run.latency_ms for run in runs}):
        of_latency = sorted(
            (run for run in runs if run.latency_ms == latency_ms), key=lambda run: list(ARMS).index(run.arm)
        )
        parts.append(f"## {latency_ms} ms added to every answer\n\n{table(of_latency, options.count)}")
    parts.append(LEGEND)
    (BUILD / "throughput.md").write_text("\n\n".join(parts) + "\n")


LEGEND: Final = """\
Median (lowest to highest). Cold: images over the wall time of the whole program. Warm: images over the time from the
first request to the last label; for B to E that includes loading the model where it happens inside the pipeline, for
the rows called warm see benchmarks/arms/eoltag_warm.py. ~: estimated for the full number of images from the start-up
and the steady rate of fewer. CPU: user and system time of all processes; server: that of the web server, which works
on the same cores and is not in it. Peak: resident size summed over all processes, shared pages counted for each.
Agree: labels equal to those of Keras f32 on images decoded whole."""


def machine() -> dict[str, Any]:
    """What the figures hold for."""
    model = ""
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {"cores": CORES, "cpu": model, "python": platform.python_version(), "commit": commit.stdout.strip()}


def _environment() -> dict[str, str]:
    """Arms see the project's code, and no variable that a peer's library would take to be meant for it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "DAFT_", "PYSPARK_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}


def _keys(text: str) -> list[str]:
    keys = text.split(",")
    unknown = [key for key in keys if key not in ARMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"arms are {', '.join(ARMS)}. Received: {', '.join(unknown)}")
    return keys


if __name__ == "__main__":
    main()
