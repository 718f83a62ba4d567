"""How long deciding takes per row, beside predicting: synthetic facts in their real layout, then the real job.

    python -m benchmarks.deciding [--rows 1000000] [--predicting-ms 5] [--predicting-cpu-ms 10] [--keep DIR] [--json]

--predicting-ms is the time of predicting one image on this machine, from `make bench` (1000 / images a second), and
--predicting-cpu-ms its CPU time, which is what to compare on a busy machine. The job runs through ./spark-submit.sh, so
its clock begins before Spark's start; the start is measured with one row. Memory is the most that was ever resident.
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

from eoltag.model.card import CardInput
from eoltag.model.package import Card, Package, write_card
from eoltag.spark.runtime.session import open_session
from eoltag.spark.tables.bundles import replace_bundles
from eoltag.spark.tables.decided import DecidedNote, write_note
from eoltag.spark.tables.facts import IMAGES, SCORES, FactTable, append_facts
from eoltag.spark.tables.lock import begin, end
from eoltag.spark.tables.models import record_models
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IDENTITY

ROOT: Final = Path(__file__).resolve().parent.parent
_TITLES: Final = {
    "decide": "decide_tags with another threshold",
    "report": "the report alone, which is part of it",
    "publish": "publish_tags, the first publication",
    "verify": "verify_output",
}
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


def facts(session: SparkSession, rows: int, version: str) -> DataFrame:
    """Bundle rows with all that is known of their images; one in fifty of them failed."""
    number = F.col("id")
    is_ok = number % 50 != 0
    score = (F.xxhash64(number) % 1000 / 1000 + 1) * 1.5
    values = {
        "eolMediaURL": F.format_string("https://content.eol.org/data/media/%08x/542.%d.jpg", F.hash(number), number),
        "identifier": F.format_string("EOL-media-542-%d", number),
        "dataObjectVersionID": (number + 6_000_000).cast("string"),
        "ancestry": F.lit("Life|Cellular Organisms|Eukaryota|Archaeplastida|Chloroplastida|Poales|Poaceae"),
        "bundle": F.format_string("images_for_Squamata_20K_breakdown_%06d", (number / ROWS_PER_BUNDLE).cast("int") + 1),
        "bundle_row": number % ROWS_PER_BUNDLE + 1,
        "outcome": F.when(is_ok, "ok").otherwise("gone"),
        "http_status": F.when(is_ok, 200).otherwise(404),
        "attempts": F.lit(1),
        "etag": F.format_string('"%x-%x"', F.hash(number), number),
        "width": F.lit(640),
        "height": F.lit(480),
        "color_mode": F.lit("RGB"),
        "bytes": F.lit(80_000),
        "content_sha256": F.when(is_ok, F.sha2(number.cast("string"), 256)),
        "perceptual_hash": F.hex(F.xxhash64(number)),
        "asked_at": F.current_timestamp(),
        "model_version": F.lit(version),
        "engine": F.lit("openvino"),
        "precision": F.lit("f32"),
        "source": F.lit("fetch"),
        "scores": F.array(score, 1 - score),
        "scored_at": F.current_timestamp(),
        "run_id": F.lit("20260101T000000Z-000000"),
    }
    return session.range(0, rows, numPartitions=8).select(*[value.alias(name) for name, value in values.items()])


def table_of(made: DataFrame, table: FactTable) -> DataFrame:
    """The rows of one table of facts."""
    columns = [
        (F.col(field.name) if field.name in made.columns else F.lit(None)).cast(field.dataType).alias(field.name)
        for field in table.schema.fields
    ]
    return made.select(*columns)


def write_output(folder: Path, rows: int) -> None:
    """An output directory as a run leaves it, without tags."""
    (folder / "rating.toml").write_text(TASK, encoding="utf-8")
    packed = package(folder / "model")
    version = packed.version
    session = open_session("eoltag benchmark")
    output = Output(session, str(folder / "out"), "synthetic")
    begin(output)
    record_models(output, [packed])
    made = facts(session, rows, version)
    append_facts(output, SCORES, table_of(made.where("outcome = 'ok'"), SCORES), rows)
    append_facts(output, IMAGES, table_of(made, IMAGES), rows)
    replace_bundles(output, made.select(*IDENTITY))
    names = [str(row["bundle"]) for row in made.select("bundle").distinct().collect()]
    write_note(output, "rating", DecidedNote(bundles=dict.fromkeys(names, "")))
    end(output)
    session.stop()


@dataclass
class Watched:
    """What a job took, start-up included."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    jvm_bytes: int = 0
    """Largest resident memory (VmHWM) of the JVM, which on one machine holds driver and executor."""
    python_bytes: int = 0
    """...and of the driver's Python."""
    workers_bytes: int = 0
    """...and of the largest Python worker; deciding needs none."""


def change_threshold(folder: Path) -> None:
    """So that every row is decided anew, and the report made anew."""
    path = folder / "rating.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("1.5F", "1.6F") if "1.5F" in text else TASK, encoding="utf-8")


def run(folder: Path, job: str, *words: str, java_options: str | None = None) -> Watched:
    """Run a job as it is shipped, on two cores, and look at its processes ten times a second."""
    command = [
        str(ROOT / "spark-submit.sh"),
        "--master",
        "local[2]",
        "--properties-file",
        f"{ROOT}/conf/spark/local.conf",
    ]
    if java_options is not None:
        command += ["--conf", f"spark.driver.extraJavaOptions={java_options}"]
    command += [str(ROOT / f"jobs/{job}.py"), *words, "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
    found, started = Watched(), time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        watcher = threading.Thread(target=_watch, args=(process, found))
        watcher.start()
        process.communicate()
        watcher.join()
    if process.returncode:
        sys.exit(process.returncode)
    found.wall_s = time.monotonic() - started
    return found


def _watch(job: "subprocess.Popen[str]", found: Watched) -> None:
    root = psutil.Process(job.pid)
    spent: dict[int, float] = {}
    while job.poll() is None:
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error, OSError):  # it just ended
                times = process.cpu_times()
                spent[process.pid] = times.user + times.system
                held = _most_resident(process.pid)
                if process.pid == job.pid:
                    found.python_bytes = max(found.python_bytes, held)
                elif process.name() == "java":
                    found.jvm_bytes = max(found.jvm_bytes, held)
                elif process.name().startswith("python"):  # none of those that only start others
                    found.workers_bytes = max(found.workers_bytes, held)
        time.sleep(0.1)
    found.cpu_s = sum(spent.values())


def _most_resident(pid: int) -> int:
    """VmHWM in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), default=0)


def measure(folder: Path, java_options: str | None) -> dict[str, Watched]:
    """All arms, in one output."""
    change_threshold(folder)
    shutil.rmtree(folder / "out" / "published", ignore_errors=True)
    commands = {
        "decide": ("decide_tags", "--task", "rating.toml", "--output", "out"),
        "report": ("report_tags", "--output", "out"),
        "publish": ("publish_tags", "out", "--task", "rating.toml", "--max-failure-rate", "1"),
        "verify": ("verify_output", "out"),
    }
    return {name: run(folder, *words, java_options=java_options) for name, words in commands.items()}


def compared(
    one: Watched, work: Watched, rows: int, predicting_ms: float, predicting_cpu_ms: float
) -> dict[str, float]:
    """Of one arm: a row's time, start-up taken off, beside that of predicting an image; and the memory."""
    wall_us, cpu_us = (work.wall_s - one.wall_s) / rows * 1e6, (work.cpu_s - one.cpu_s) / rows * 1e6
    return {
        "start_s": one.wall_s,
        "start_cpu_s": one.cpu_s,
        "wall_s": work.wall_s,
        "cpu_s": work.cpu_s,
        "row_us": wall_us,
        "row_cpu_us": cpu_us,
        "ratio": predicting_ms * 1000 / wall_us,
        "cpu_ratio": predicting_cpu_ms * 1000 / cpu_us,
        "jvm_mb": work.jvm_bytes / 1e6,
        "driver_python_mb": work.python_bytes / 1e6,
        "driver_mb": (work.jvm_bytes + work.python_bytes) / 1e6,
        "worker_mb": work.workers_bytes / 1e6,
    }


def main() -> None:
    """Prints a table, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--predicting-ms", type=float, default=5.0)
    parser.add_argument("--predicting-cpu-ms", type=float, default=10.0)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the synthetic output here, and use it again")
    parser.add_argument(
        "--java-options", metavar="FLAGS", help="for the JVM, in place of those in conf/spark/local.conf"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
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
        starts, work = (measure(folder / name, options.java_options) for name in ("one", "all"))
    finally:
        if not options.keep:
            shutil.rmtree(folder)
    predicting = (options.predicting_ms, options.predicting_cpu_ms)
    arms = {name: compared(starts[name], work[name], options.rows, *predicting) for name in starts}
    if options.json:
        print(json.dumps({"rows": options.rows, "arms": arms}, indent=2))
        return
    print(f"{options.rows:,} rows; predicting an image: {predicting[0]} ms, {predicting[1]} ms of CPU")
    for name, arm in arms.items():
        print(f"\n{_TITLES[name]}")
        print(f"  start-up, with one row: {arm['start_s']:.1f} s, {arm['start_cpu_s']:.1f} CPU-seconds")
        print(f"  all of it: {arm['wall_s']:.1f} s, {arm['cpu_s']:.1f} CPU-seconds")
        print(f"  a row: {arm['row_us']:.2f} us, {arm['row_cpu_us']:.2f} us of CPU")
        print(f"  faster than predicting: {arm['ratio']:,.0f} times by the clock, {arm['cpu_ratio']:,.0f} by CPU time")
        print(
            f"  most memory: JVM {arm['jvm_mb']:.0f} MB, driver's Python {arm['driver_python_mb']:.0f} MB, together "
            f"{arm['driver_mb']:.0f} MB; largest Python worker {arm['worker_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main()
