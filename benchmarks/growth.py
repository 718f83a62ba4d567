"""A new head over a million images whose features are stored: how long planning, scoring and deciding take.

    make bench-growth [ARGS="--rows 1000000"]

An output directory in the real schema is made by Spark: the answer of a server and 768 features (float16) for each
image, in bundles of 20,000 rows as EOL's own. Then the job runs as it is shipped, on two cores: as a dry run; with a
head that the output does not know; again with nothing to do; again with another rule. No server is asked. Figures go
to build/bench/growth.json.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.server import ROOT
from benchmarks.throughput import BUILD
from eoltag.model.card import HEAD_OPENVINO_FILES, Card, CardInput
from eoltag.model.package import write_card
from eoltag.spark.runtime.session import open_session
from eoltag.spark.tables.facts import FEATURES, IMAGES, append_facts
from eoltag.spark.tables.lock import locked
from eoltag.spark.tables.output import Output

FOLDER: Final = BUILD / "growth"
LENGTH: Final = 768
ROWS_PER_BUNDLE: Final = 20_000
LABELS: Final = ("Branch", "Entire", "Flower", "Fruit", "Leaf", "Stem")
BASE: Final = "synthetic"
TASK: Final = """
name = "flowers"
models.main.package = "head"
[[rules]]
name = "sure"
when = "confidence > {least}"
tag_sql = "label"
"""
URL: Final = "https://content.eol.org/data/media/%08x/542.%d.jpg"


def main() -> None:
    """Make the output, then the four runs."""
    options = parser().parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    _write_head(FOLDER / "head")
    started = time.monotonic()
    _write_output(options.rows)
    print(f"output of {options.rows:,} images made in {time.monotonic() - started:.0f} s", flush=True)
    figures = {}
    for name, least, words in (
        ("dry run", 0.5, ("--dry-run",)),
        ("new head", 0.5, ()),
        ("nothing to do", 0.5, ()),
        ("another rule", 0.6, ()),
    ):
        (FOLDER / "flowers.toml").write_text(TASK.format(least=least), encoding="utf-8")
        figures[name] = _run(*words)
        print(f"{name:<16}{figures[name]['wall_s']:>8.1f} s  {figures[name]['said']}", flush=True)
    (BUILD / "growth.json").write_text(json.dumps({"rows": options.rows, **figures}, indent=1) + "\n", encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    new.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="images (default 1,000,000)")
    return new


def _write_head(folder: Path) -> None:
    """A head with random weights: it takes the same time whatever it has learnt."""
    import openvino as ov
    from openvino import opset13 as ops

    weights = np.random.default_rng(0).normal(size=(LENGTH, len(LABELS))).astype(np.float32)
    vectors = ops.parameter([-1, LENGTH], np.float32)
    logits = ops.matmul(vectors, ops.constant(weights / 8), False, False)
    (folder / HEAD_OPENVINO_FILES[0]).parent.mkdir(parents=True)
    ov.save_model(ov.Model([logits], [vectors], "head"), folder / HEAD_OPENVINO_FILES[0], compress_to_fp16=False)
    size = CardInput(height=224, width=224)
    base: dict[str, Any] = {"base_version": BASE, "feature_length": LENGTH}
    write_card(folder, Card(card_version=1, name="flowers", labels=LABELS, input=size, files={}, **base))


def _write_output(rows: int) -> None:
    """Images and features of an output directory, and the lists that name them."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = open_session("eoltag benchmark")
    images = _images(session, rows)
    output = Output(session, str(FOLDER / "out"), "20260101T000000.000Z-000000")
    with locked(output):
        append_facts(output, IMAGES, images.drop("id"), rows)
        features = images.select("content_sha256").mapInArrow(_vectors, "content_sha256 string, vector binary")
        named = features.withColumns(
            {"base_version": F.lit(BASE), "source": F.lit("fetch"), "run_id": F.lit(output.run_id)}
        )
        made = named.withColumn("computed_at", F.current_timestamp()).select(*FEATURES.schema.fieldNames())
        append_facts(output, FEATURES, made, rows)
    (FOLDER / "lists").mkdir()
    number = 0
    listed = images.select("eolMediaURL", "id").orderBy("id").select("eolMediaURL").toLocalIterator()
    while chunk := [row[0] for _, row in zip(range(ROWS_PER_BUNDLE), listed, strict=False)]:
        number += 1
        (FOLDER / f"lists/images_{number:06d}.txt").write_text("\n".join(chunk) + "\n", encoding="utf-8")
    session.stop()


def _images(session: SparkSession, rows: int) -> DataFrame:
    """Answers of a server, every one of them an image."""
    number = F.col("id")
    values = {
        "eolMediaURL": F.format_string(URL, F.hash(number), number),
        "outcome": F.lit("ok"),
        "http_status": F.lit(200),
        "attempts": F.lit(1),
        "etag": F.concat(F.lit('"'), F.hex(number), F.lit('"')),
        "content_sha256": F.sha2(number.cast("string"), 256),
        "bytes": F.lit(80_000),
        "width": F.lit(640),
        "height": F.lit(480),
        "color_mode": F.lit("RGB"),
        "perceptual_hash": F.hex(F.xxhash64(number)),
        "asked_at": F.current_timestamp(),
        "run_id": F.lit("20260101T000000.000Z-000000"),
    }
    columns = [
        values.get(field.name, F.lit(None)).cast(field.dataType).alias(field.name) for field in IMAGES.schema.fields
    ]
    return session.range(0, rows, numPartitions=16).select("id", *columns).select("id", *IMAGES.schema.fieldNames())


def _vectors(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        drawn = np.random.default_rng(int(batch.column(0)[0].as_py()[:12], 16))
        vectors = drawn.normal(size=(batch.num_rows, LENGTH)).astype("<f2")
        packed = pa.array([row.tobytes() for row in vectors], pa.binary())
        yield pa.record_batch([batch.column(0), packed], names=["content_sha256", "vector"])


def _run(*words: str) -> dict[str, Any]:
    """One run of the job."""
    command = [str(ROOT / "spark-submit.sh"), "--master", "local[2]", str(ROOT / "jobs/tag_bundles.py"), "--json"]
    command += ["--bundle", str(FOLDER / "lists"), "--task", str(FOLDER / "flowers.toml")]
    started = time.monotonic()
    command += ["--output", str(FOLDER / "out"), "--quiet", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: {done.stderr.strip().splitlines()[-1]}")
    document = json.loads(done.stdout)
    said = document.get("work", document)
    shown = ("rows", "waves_s", "requests", "from_features", "stage_s")
    return {
        "wall_s": round(time.monotonic() - started, 1),
        "said": {name: said[name] for name in shown if name in said},
    }


if __name__ == "__main__":
    main()
