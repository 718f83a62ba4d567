"""How long deciding takes per row, beside predicting: synthetic predictions in their real layout, then the real job.

    python -m benchmarks.deciding [--rows 1000000] [--predicting-ms 5] [--predicting-cpu-ms 10] [--keep DIR]

--predicting-ms is the time of predicting one image on this machine, from `make bench` (1000 / images a second), and
--predicting-cpu-ms its CPU time, which is what to compare on a busy machine. The job runs through ./spark-submit.sh, so
its clock begins before Spark's start; the start is measured with one row.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.package import Card, CardInput, Package, write_card
from eoltag.spark.schemas import IDENTITY, PREDICTIONS
from eoltag.spark.session import open_session
from eoltag.spark.tables import Output

ROOT: Final = Path(__file__).resolve().parent.parent
DRIVER_MEMORY: Final = "600m"
ROWS_PER_BUNDLE: Final = 20_000
"""As in EOL's own."""
TASK: Final = """
name = "rating"
missing = "NA"
columns = ["eolMediaURL", "identifier", "dataObjectVersionID", "ancestry", "imclass=tag", "confidence=logit"]
models.main.package = "model"
[[rules]]
name = "bad_above_1.5"
when = "label = 'bad' AND logit > 1.5F"
tag = "bad"
"""


def package(folder: Path) -> Package:
    """A package that only has a card: deciding needs no model."""
    (folder / "openvino").mkdir(parents=True)
    for name in ("model.xml", "model.bin"):
        (folder / "openvino" / name).write_text("none")
    size = CardInput(height=224, width=224)
    return write_card(folder, Card(card_version=1, name="rating", labels=("bad", "good"), input=size, files={}))


def predictions(session: SparkSession, rows: int, version: str) -> DataFrame:
    """Rows of the predictions table, one in fifty of them failed."""
    number = F.col("id")
    is_ok = number % 50 != 0
    score = (F.xxhash64(number) % 1000 / 1000 + 1) / 2
    values = {
        "eolMediaURL": F.format_string("https://content.eol.org/data/media/%08x/542.%d.jpg", F.hash(number), number),
        "identifier": F.format_string("EOL-media-542-%d", number),
        "dataObjectVersionID": (number + 6_000_000).cast("string"),
        "ancestry": F.lit("Life|Cellular Organisms|Eukaryota|Archaeplastida|Chloroplastida|Poales|Poaceae"),
        "bundle": F.format_string("images_for_Squamata_20K_breakdown_%06d", (number / ROWS_PER_BUNDLE).cast("int") + 1),
        "bundle_row": number % ROWS_PER_BUNDLE + 1,
        "task": F.lit("rating"),
        "model": F.lit("main"),
        "model_version": F.lit(version),
        "outcome": F.when(is_ok, "ok").otherwise("gone"),
        "http_status": F.when(is_ok, 200).otherwise(404),
        "attempts": F.lit(1),
        "label": F.when(is_ok, F.when(score > 0.5, "bad").otherwise("good")),
        "confidence": F.when(is_ok, F.greatest(score, 1 - score)),
        "logit": F.when(is_ok, score * 3),
        "scores": F.when(is_ok, F.create_map(F.lit("bad"), score, F.lit("good"), 1 - score)),
        "width": F.lit(640),
        "height": F.lit(480),
        "color_mode": F.lit("RGB"),
        "bytes": F.lit(80_000),
        "content_sha256": F.sha2(number.cast("string"), 256),
        "perceptual_hash": F.hex(F.xxhash64(number)),
        "fetched_at": F.current_timestamp(),
        "run_id": F.lit("20260101T000000Z-000000"),
    }
    columns = [
        values.get(field.name, F.lit(None)).cast(field.dataType).alias(field.name) for field in PREDICTIONS.fields
    ]
    return session.range(0, rows, numPartitions=8).select(*columns)


def write_output(folder: Path, rows: int) -> None:
    """An output directory as a run leaves it, without tags."""
    (folder / "rating.toml").write_text(TASK, encoding="utf-8")
    version = package(folder / "model").version
    session = open_session("eoltag benchmark")
    output = Output(session, str(folder / "out"), "synthetic")
    output.begin()
    made = predictions(session, rows, version)
    output.append_predictions(made, rows)
    output.replace_bundles(made.select(*IDENTITY), "rating")
    output.end()
    session.stop()


@dataclass
class Watched:
    """What a job took, start-up included."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    """Largest resident memory of all its processes together."""
    rows: int = 0


def decide(folder: Path) -> Watched:
    """Run the job, and look at its processes ten times a second."""
    command = [str(ROOT / "spark-submit.sh"), "--master", "local[2]", "--driver-memory", DRIVER_MEMORY]
    command += [str(ROOT / "jobs/decide_tags.py"), "--task", "rating.toml", "--output", "out", "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
    found, started = Watched(), time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as job:
        watcher = threading.Thread(target=_watch, args=(job, found))
        watcher.start()
        shown, _ = job.communicate()
        watcher.join()
    if job.returncode:
        sys.exit(job.returncode)
    found.wall_s, found.rows = time.monotonic() - started, json.loads(shown)["rows_in"]
    return found


def _watch(job: "subprocess.Popen[str]", found: Watched) -> None:
    root = psutil.Process(job.pid)
    spent: dict[int, float] = {}
    while job.poll() is None:
        held = 0
        with suppress(psutil.Error):  # one that just ended
            for process in (root, *root.children(recursive=True)):
                times = process.cpu_times()
                spent[process.pid] = times.user + times.system
                held += process.memory_info().rss
        found.peak_bytes = max(found.peak_bytes, held)
        time.sleep(0.1)
    found.cpu_s = sum(spent.values())


def main() -> None:
    """Prints both figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--predicting-ms", type=float, default=5.0)
    parser.add_argument("--predicting-cpu-ms", type=float, default=10.0)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the synthetic output here, and use it again")
    options = parser.parse_args()
    properties = f"--properties-file {ROOT}/conf/spark/local.conf --driver-memory 2g pyspark-shell"
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", f"--master local[2] {properties}")
    os.environ.setdefault("SPARK_CONF_DIR", f"{ROOT}/conf/spark")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="eoltag-deciding-"))
    try:
        for name, rows in (("one", 1), ("all", options.rows)):
            if not (folder / name).exists():
                (folder / name).mkdir(parents=True)
                write_output(folder / name, rows)
        start, work = decide(folder / "one"), decide(folder / "all")
    finally:
        if not options.keep:
            shutil.rmtree(folder)
    per_row_us = (work.wall_s - start.wall_s) / work.rows * 1e6
    cpu_us = (work.cpu_s - start.cpu_s) / work.rows * 1e6
    print(f"start-up and one row: {start.wall_s:.1f} s, {start.cpu_s:.1f} CPU-seconds")
    print(f"{work.rows:,} rows: {work.wall_s:.1f} s, {work.cpu_s:.1f} CPU-seconds, start-up included")
    print(
        f"deciding a row: {per_row_us:.2f} us, {cpu_us:.2f} us of CPU; predicting an image: {options.predicting_ms} ms"
    )
    print(f"ratio by the clock: {options.predicting_ms * 1000 / per_row_us:,.0f}")
    print(f"ratio by CPU time: {options.predicting_cpu_ms * 1000 / cpu_us:,.0f}")
    print(f"largest memory of the job: {work.peak_bytes / 1e6:.0f} MB, with --driver-memory {DRIVER_MEMORY}")


if __name__ == "__main__":
    main()
