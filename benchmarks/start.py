"""What a small run costs beside Spark itself: the whole job over 20 images, and the smallest PySpark program.

    make bench-start [ARGS="--images PHOTOS --count 20 --runs 5"]

The job is ./spark-submit.sh jobs/tag_bundles.py as anyone calls it: bundle, model, fetching from nginx on this machine,
tables, TSV files and report. The other program (benchmarks/bare_spark.py) sends two rows through a Python worker and
writes them as Parquet. They take turns, each with Spark's start, into a new output every time. The first turn of each
is not counted: it fills the disk cache, and the job's makes the archive of Java classes. Figures go to
build/bench/start.json.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.photos import drawn_pictures, model_package, photo_names, url_list
from benchmarks.results import Spread, spread
from benchmarks.server import ROOT, Server, served
from benchmarks.throughput import BUILD, machine
from benchmarks.usage import Usage, run_measured

FOLDER: Final = BUILD / "start"
TITLES: Final = {"bare": "bare PySpark, range(2)", "job": "the job"}


def main() -> None:
    """Both programs in turns; then their medians."""
    options = parser().parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    drawn = drawn_pictures(BUILD / "samples")
    pictures = (options.images or drawn).resolve()
    package = (options.package or model_package(BUILD / "mobilenet_v2")).resolve()
    found: dict[str, list[Usage]] = {name: [] for name in TITLES}
    with served(pictures) as server:
        commands = {"bare": bare_command(), "job": job_command(pictures, package, server, options.count)}
        for turn in range(1 + options.runs):
            for name, command in commands.items():
                usage = _measured(command)
                if turn > 0:
                    found[name].append(usage)
    document = {"machine": machine(), "count": options.count, **summary(found)}
    (BUILD / "start.json").write_text(json.dumps(document, indent=2) + "\n")
    print(text(document))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="make bench-start", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--images", type=Path, metavar="DIR", help="photos; default: pictures drawn here")
    new.add_argument("--package", type=Path, metavar="DIR", help="model package; default: MobileNetV2 made here")
    new.add_argument("--count", type=int, default=20, metavar="N", help="images of the job (default 20)")
    new.add_argument("--runs", type=int, default=5, metavar="N", help="runs of each that count (default 5)")
    return new


def bare_command() -> list[str]:
    """The smallest program."""
    return [sys.executable, "-m", "benchmarks.bare_spark", str(FOLDER / "out")]


def job_command(pictures: Path, package: Path, server: Server, count: int) -> list[str]:
    """The job over `count` pictures; its bundle and task file are written here."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "bundle.txt").write_text("\n".join(url_list(photo_names(pictures), server, count)) + "\n")
    (FOLDER / "start.toml").write_text(f'name = "start"\n[models.main]\npackage = "{package}"\n')
    command = ["./spark-submit.sh", "jobs/tag_bundles.py", "--bundle", str(FOLDER / "bundle.txt")]
    command += ["--task", str(FOLDER / "start.toml"), "--output", str(FOLDER / "out")]
    return [*command, "--allow-private-hosts", "--quiet", "--json"]


def summary(found: Mapping[str, Sequence[Usage]]) -> dict[str, Any]:
    """Every figure of both programs, and the ratio of the job's median wall time to that of bare PySpark."""
    programs = {
        name: {
            "wall_s": [usage.wall_s for usage in usages],
            "cpu_s": [usage.cpu_s for usage in usages],
            "peak_rss_mb": [usage.peak_rss_mb for usage in usages],
        }
        for name, usages in found.items()
    }
    return {"programs": programs, "ratio": _spread(programs, "job").median / _spread(programs, "bare").median}


def text(document: Mapping[str, Any]) -> str:
    """For people."""
    programs = document["programs"]
    lines = [f"{'':<24}{'wall s':<24}{'CPU s':<24}peak MB"]
    for name, title in TITLES.items():
        wall, cpu, peak = (_spread(programs, name, key) for key in ("wall_s", "cpu_s", "peak_rss_mb"))
        lines.append(f"{title:<24}{wall.text():<24}{cpu.text():<24}{peak.text('{:.0f}')}")
    lines.append(f"the job over {document['count']} images takes {document['ratio']:.2f} times as long as bare PySpark")
    return "\n".join(lines)


def _spread(programs: Mapping[str, Mapping[str, Sequence[float]]], name: str, key: str = "wall_s") -> Spread:
    found = spread(programs[name][key])
    if found is None:
        raise ValueError(f"{name}: one run at least was wanted. Received: none")
    return found


def _measured(command: list[str]) -> Usage:
    """One turn into an output that is not there yet."""
    shutil.rmtree(FOLDER / "out", ignore_errors=True)
    usage = run_measured(command, cwd=ROOT)
    if usage.code:
        sys.exit(f"error: {' '.join(command[:4])} ended with {usage.code}:\n{usage.errors}")
    return usage


if __name__ == "__main__":
    main()
