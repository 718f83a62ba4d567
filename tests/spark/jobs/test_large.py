"""What only shows at size: no row lost among 20,000, flat memory; and a real cluster of separate processes."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import duckdb
import psutil
import pytest

from tests.support.loopback import Loopback
from tests.support.paths import ROOT

IMAGES = 20_000

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(1800)]


@pytest.fixture
def folder(tmp_path: Path, small_package: Path) -> Path:
    """A task over the small model."""
    rule = '[[rules]]\nname = "all"\nwhen = "true"\ntag_sql = "label"\n'
    (tmp_path / "kind.toml").write_text(f'name = "kind"\nmodels.main.package = "{small_package}"\n{rule}')
    return tmp_path


def write_bundle(folder: Path, server: Loopback, images: Path, count: int) -> None:
    """A list of `count` URLs: the sample images under ever new names, each 50th missing."""
    names = sorted(str(path.relative_to(images)) for path in images.rglob("*") if path.is_file())
    with (folder / "list.txt").open("w") as bundle:
        for number in range(count):
            path = f"/files/{quote(names[number % len(names)])}" if number % 50 else "/status/404/x.jpg"
            bundle.write(f"{server.url(path)}?n={number}\n")


@contextmanager
def watched(samples: list[tuple[float, int, int]]) -> Iterator[None]:
    """Samples (seconds, largest RSS of a Python worker, RSS of the driver's Python) of this process's children."""
    stop = threading.Event()

    def rss_of(process: psutil.Process) -> tuple[str, int]:
        try:
            return " ".join(process.cmdline()), process.memory_info().rss
        except psutil.Error:
            return "", 0

    def watch() -> None:
        started = time.monotonic()
        while not stop.wait(0.5):
            seen = [rss_of(process) for process in psutil.Process().children(recursive=True)]
            workers = [rss for line, rss in seen if "spark.daemon" in line]
            driver = [rss for line, rss in seen if "tag_bundles.py" in line and "java" not in line.split(" ")[0]]
            samples.append((time.monotonic() - started, max(workers, default=0), max(driver, default=0)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def submit(folder: Path, *options: str) -> dict[str, object]:
    """The summary of a real run."""
    command = [str(ROOT / "spark-submit.sh"), *options, str(ROOT / "jobs/tag_bundles.py"), "--bundle", "list.txt"]
    command += ["--task", "kind.toml", "--output", "out", "--allow-private-hosts", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary: dict[str, object] = json.loads(done.stdout)
    return summary


def test_twenty_thousand_rows_come_out_once_and_memory_stays_flat(folder: Path, sample_images: Path) -> None:
    samples: list[tuple[float, int, int]] = []
    with Loopback(sample_images) as server:
        write_bundle(folder, server, sample_images, IMAGES)
        with watched(samples):
            summary = submit(folder, "--master", "local[2]")
    assert (summary["rows_in"], summary["ok"], summary["failed"]) == (IMAGES, 19_600, {"gone": 400})
    counts = "SELECT count(*), count(DISTINCT eolMediaURL) FROM"
    for table in ("images", "tags/*"):
        assert duckdb.sql(f"{counts} '{folder}/out/{table}/*.parquet'").fetchall() == [(IMAGES, IMAGES)]
    paths = sorted((path for path in sample_images.rglob("*") if path.is_file()), key=str)
    served = {paths[number % len(paths)] for number in range(IMAGES) if number % 50}
    contents = len({path.read_bytes() for path in served})
    counts = counts.replace("eolMediaURL", "content_sha256")
    assert duckdb.sql(f"{counts} '{folder}/out/scores/*/*.parquet'").fetchall() == [(contents, contents)]
    tsv = (folder / "out/tsv/kind/list_finaltags.tsv").read_text().splitlines()
    assert len(tsv) == 1 + 19_600
    assert [int(line.split("\t")[0].partition("?n=")[2]) for line in tsv[1:]] == [n for n in range(IMAGES) if n % 50]
    running = [worker for _, worker, _ in samples if worker > 100e6]
    fifths = [max(running[len(running) * n // 5 : len(running) * (n + 1) // 5]) for n in range(5)]
    print("worker RSS, the most in each fifth of the run:", ", ".join(f"{rss / 1e6:.0f} MB" for rss in fifths))
    print(f"driver's Python RSS at most {max(driver for _, _, driver in samples) / 1e6:.0f} MB")
    assert fifths[4] < 1.1 * fifths[1]
    assert fifths[4] < 450e6


def test_the_driver_takes_no_more_memory_for_ten_times_the_rows(folder: Path) -> None:
    peaks = []
    for rows in (10_000, 100_000):
        lines = ["http://127.0.0.1/x.jpg", *(f"nonsense {number}" for number in range(rows))]
        (folder / "list.txt").write_text("\n".join(lines) + "\n")
        samples: list[tuple[float, int, int]] = []
        with watched(samples):
            command = [str(ROOT / "spark-submit.sh"), "--master", "local[2]", str(ROOT / "jobs/tag_bundles.py")]
            command += ["--bundle", "list.txt", "--task", "kind.toml", "--output", f"out{rows}", "--dry-run", "--json"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["bad_rows"] == rows
        peaks.append(max(driver for _, _, driver in samples))
    print(f"driver's Python RSS: {peaks[0] / 1e6:.0f} MB for 10,000 rows, {peaks[1] / 1e6:.0f} MB for 100,000")
    assert peaks[1] < 1.2 * peaks[0]


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[str]:
    """The master URL of a Spark master and one worker with two cores, each a process of its own on loopback."""
    spark = next((ROOT / ".venv/lib").glob("python3*")) / "site-packages/pyspark"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = subprocess.run([ROOT / "spark-submit.sh", "--print-java-home"], capture_output=True, text=True, check=True)
    environment = {**os.environ, "JAVA_HOME": home.stdout.strip(), "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [str(spark / "bin/spark-class")]
    master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", "2"]
    worker += ["--memory", "2g", "--work-dir", str(folder / "work"), f"spark://127.0.0.1:{port}"]
    with (folder / "cluster.log").open("w") as log:
        started = [
            subprocess.Popen(command + arguments, env=environment, stdout=log, stderr=log, start_new_session=True)
            for arguments in (master, worker)
        ]
        try:
            yield f"spark://127.0.0.1:{port}"
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()


def test_a_cluster_gets_code_and_environment_with_the_job(folder: Path, sample_images: Path) -> None:
    with standalone_cluster(folder) as master, Loopback(sample_images) as server:
        write_bundle(folder, server, sample_images, 200)
        memory = ("--executor-memory", "1g", "--executor-cores", "2", "--conf", "spark.driver.host=127.0.0.1")
        summary = submit(folder, "--master", master, "--pack-env", *memory)
    assert (summary["rows_in"], summary["ok"], summary["failed"]) == (200, 196, {"gone": 4})
    unpacked = list((folder / "work").rglob("environment/bin/python"))
    assert unpacked, "the packed environment did not reach the executor"
    environment = unpacked[0].parents[1]
    assert not list(environment.rglob("site-packages/tensorflow"))
    bytes_there = sum(path.lstat().st_size for path in environment.rglob("*") if path.is_file())
    assert bytes_there <= 700e6, "executors get more than they need"
