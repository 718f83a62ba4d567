"""How the job grows: the real job over 10^4, 10^5 and 10^6 rows, and again when nothing is left to do.

    make bench-scale [ARGS="--rows 10000 100000 | --full | --plumbing"]

The question is whether the cost of a row stays the same, so everything that does not depend on the number of rows is
made small and constant, and nothing is left out: every row is a URL of its own, asked for over HTTP from nginx on this
machine (a hundred pictures of 32 px under a million addresses), decoded, and given to a model that does next to
nothing (a mean of the pixels and five scores).

--plumbing leaves out images: every row names a private address, which eoltag refuses before it connects. What then
remains is reading the bundle, the plan, waves, Spark tasks, the tables and the TSV: the job's own cost a row.

Figures go to build/bench/scale.json (plumbing.json), which benchmarks.sizing reads.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks.arms.command import taken_up
from benchmarks.server import ROOT, Server, served
from benchmarks.throughput import BUILD, machine
from benchmarks.usage import Usage, run_measured
from eoltag.model.card import CardInput
from eoltag.model.package import Card, write_card

PICTURES: Final = 100
SIDE_PX: Final = 32
LABELS: Final = ("a", "b", "c", "d", "e")
REFUSED: Final = "http://10.0.0.1"
ROWS: Final = (10_000, 100_000)
FULL: Final = (10_000, 100_000, 1_000_000)


def main() -> None:
    """Every size: the run, and the run with nothing to do."""
    options = parser().parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    package = write_package(BUILD / "constant")
    pictures = draw_pictures(BUILD / "tiny")
    found: list[dict[str, Any]] = []
    out = BUILD / ("plumbing.json" if options.plumbing else "scale.json")
    with served(pictures) as server:
        for rows in FULL if options.full else options.rows:
            found.append(measure(rows, package, server, is_plumbing=options.plumbing))
            out.write_text(json.dumps({"machine": machine(), "server": server.kind, "sizes": found}, indent=2) + "\n")
            print(text(found[-1], is_first=len(found) == 1), flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="make bench-scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--rows", type=int, nargs="+", default=list(ROWS), metavar="N", help=f"default {ROWS}")
    new.add_argument("--full", action="store_true", help=f"rows {FULL}")
    new.add_argument("--plumbing", action="store_true", help="no images: the job's own cost a row")
    return new


def measure(rows: int, package: Path, server: Server, *, is_plumbing: bool) -> dict[str, Any]:
    """Figures of one size."""
    with _folder() as folder:
        _write_inputs(folder, rows, package, server, is_plumbing=is_plumbing)
        server_before = server.cpu_s()
        full, first, last = _run(folder)
        server_cpu_s = server.cpu_s() - server_before
        again, _, _ = _run(folder)
        output = folder / "out"
        document = json.loads(max((output / "runs").glob("*.json")).read_text())
        assert document["plan"]["to_do"] == 0, document["plan"]
        return {
            "rows": rows,
            "is_plumbing": is_plumbing,
            "wall_s": full.wall_s,
            "s_per_row": full.wall_s / rows,
            "rows_per_s": rows / full.wall_s,
            "cpu_s_per_row": full.cpu_s / rows,
            "server_cpu_s_per_row": server_cpu_s / rows,
            "before_first_image_s": first,
            "after_last_image_s": last,
            "between_s_per_row": (full.wall_s - first - last) / rows,
            "peak_rss_mb": full.peak_rss_mb,
            "peak_driver_mb": full.peak_by_kind_mb.get("first", 0.0),
            "peak_jvm_mb": full.peak_by_kind_mb.get("java", 0.0),
            "peak_worker_mb": full.peak_by_kind_mb.get("worker", 0.0),
            "again_s": again.wall_s,
            "again_share": again.wall_s / full.wall_s,
            "files": {name: _files(output / name) for name in ("images", "scores", "tags", "bundles", "tsv")},
        }


def text(size: dict[str, Any], *, is_first: bool) -> str:
    """A line for people, under a heading the first time."""
    heading = (
        f"{'rows':>9}{'s':>9}{'ms/row':>9}{'rows/s':>9}{'before s':>10}{'after s':>9}{'ms/row between':>16}"
        f"{'driver MB':>11}{'JVM MB':>8}{'worker MB':>11}{'again s':>9}{'share':>8}{'files':>7}{'MB each':>9}\n"
    )
    images, scores = size["files"]["images"], size["files"]["scores"]
    files = {name: images[name] + scores[name] for name in images}
    line = (
        f"{size['rows']:>9,}{size['wall_s']:>9.1f}{1000 * size['s_per_row']:>9.3f}{size['rows_per_s']:>9.0f}"
        f"{size['before_first_image_s']:>10.1f}{size['after_last_image_s']:>9.1f}"
        f"{1000 * size['between_s_per_row']:>16.3f}{size['peak_driver_mb']:>11.0f}{size['peak_jvm_mb']:>8.0f}"
        f"{size['peak_worker_mb']:>11.0f}{size['again_s']:>9.1f}{size['again_share']:>8.1%}{files['number']:>7}"
        f"{files['mb'] / max(1, files['number']):>9.2f}"
    )
    return (heading if is_first else "") + line


def write_package(path: Path) -> Path:
    """A model whose cost is constant and next to nothing: the mean of the pixels, then five scores."""
    if not (path / "card.json").is_file():
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import keras

        keras.utils.set_random_seed(0)
        inputs = keras.Input((SIDE_PX, SIDE_PX, 3), dtype="uint8")
        scaled = keras.layers.Rescaling(1 / 255)(inputs)
        outputs = keras.layers.Dense(len(LABELS))(keras.layers.GlobalAveragePooling2D()(scaled))
        (path / "openvino").mkdir(parents=True, exist_ok=True)
        keras.Model(inputs, outputs).export(str(path / "openvino" / "model.xml"), format="openvino", verbose=False)
        size = CardInput(height=SIDE_PX, width=SIDE_PX)
        write_card(path, Card(card_version=1, name="constant", labels=LABELS, input=size, files={}))
    return path


def draw_pictures(folder: Path) -> Path:
    """A hundred different JPEG files of a kilobyte."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(PICTURES):
        path = folder / f"{number}.jpg"
        if not path.is_file():
            cells = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
            Image.fromarray(cells).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).save(path)
    return folder


def bundle_lines(rows: int, server: Server, *, is_plumbing: bool) -> Iterator[str]:
    """A breakdown bundle: its header, then rows with identifiers and ancestry like EOL's."""
    yield "identifier\tdataObjectVersionID\teolMediaURL\tancestry"
    names = [f"{number}.jpg" for number in range(PICTURES)]
    for number, name in enumerate(islice(cycle(names), rows)):
        url = f"{REFUSED}/data/media/{number // 1000:x}/{number}.jpg" if is_plumbing else server.url(name, number)
        yield f"EOL-media-{number}\t{7_000_000 + number}\t{url}\tLife|Eukaryota|Plantae|Family {number % 400}"


def _write_inputs(folder: Path, rows: int, package: Path, server: Server, *, is_plumbing: bool) -> None:
    with (folder / "bundle.txt").open("w") as file:
        file.writelines(f"{line}\n" for line in bundle_lines(rows, server, is_plumbing=is_plumbing))
    (folder / "scale.toml").write_text(f'name = "scale"\n[models.main]\npackage = "{package}"\n')
    networks = "[]" if is_plumbing else '["127.0.0.1"]'
    settings = f"[fetch]\nrequests_per_s = 0\nprivate_networks = {networks}\n[run]\nmax_failure_rate = 1.0\n"
    (folder / "settings.toml").write_text(settings)


def _run(folder: Path) -> tuple[Usage, float, float]:
    """The job; and how long it took before the first image was taken up and after the last one."""
    command = ["./spark-submit.sh", "jobs/tag_bundles.py", "--bundle", str(folder / "bundle.txt")]
    command += ["--task", str(folder / "scale.toml"), "--config", str(folder / "settings.toml")]
    command += ["--output", str(folder / "out"), "--quiet", "--json"]
    started = time.time()
    usage = run_measured(command, cwd=ROOT)
    if usage.code:
        sys.exit(f"error: the job ended with {usage.code}:\n{usage.errors}")
    first, last = taken_up(folder / "out" / "images")
    return usage, first - started, started + usage.wall_s - last


def _files(folder: Path) -> dict[str, float]:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"number": len(sizes), "mb": sum(sizes) / 1e6}


@contextmanager
def _folder() -> Iterator[Path]:
    """On the disk of build/, since 10^6 rows are too much for some /tmp."""
    folder = BUILD / "scale"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
