"""Bundles, packages and output on s3a://, against a real S3 server."""

import json
import shutil
import socket
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from eoltag.local.swaps import pending
from tests.cluster.conftest import Right
from tests.cluster.fetched import HERE, class_path
from tests.cluster.scene import Scene, all_jobs, assert_same, go_back_and_verify, published, wait_for

pytestmark = [
    pytest.mark.usefixtures("hadoop_jars"),
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.spark,
    pytest.mark.timeout(3600),
]

KILLED_AFTER = (14, 20, 26, 32, 38, 44)
"""Requests that change something, of one compaction."""
KEY, SECRET = "test-key", "test-secret"


@dataclass(frozen=True)
class Bucket:
    """A bucket of the server."""

    address: str
    system: fs.S3FileSystem

    def gate(self, allow: int | None = None) -> None:
        """Let so many more changes through; None: all."""
        query = "" if allow is None else f"?allow={allow}"
        request = urllib.request.Request(f"{self.address}/_gate{query}", method="PUT")
        urllib.request.urlopen(request).read()

    def counted(self) -> dict[str, int]:
        """passed and held."""
        found: dict[str, int] = json.loads(urllib.request.urlopen(f"{self.address}/_gate").read())
        return found

    def put(self, local: Path, name: str) -> None:
        """Copy a file or folder into the bucket."""
        fs.copy_files(str(local), f"eol/{name}", destination_filesystem=self.system)

    def get(self, name: str, local: Path) -> Path:
        """Copy a folder of the bucket."""
        shutil.rmtree(local, ignore_errors=True)
        local.mkdir()
        fs.copy_files(f"eol/{name}", str(local), source_filesystem=self.system)
        return local

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with self.system.open_input_stream(f"eol/{name}") as stream:
            return bytes(stream.read())

    def names(self, folder: str) -> list[str]:
        """Names of files in a folder."""
        selector = fs.FileSelector(f"eol/{folder}", allow_not_found=True)
        return [info.base_name for info in self.system.get_file_info(selector) if info.is_file]


@contextmanager
def s3_server(python: Path) -> Iterator[Bucket]:
    """The server, with an empty bucket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([python, HERE / "s3_server.py", str(port)], stdout=subprocess.DEVNULL)
    try:
        system = fs.S3FileSystem(
            access_key=KEY,
            secret_key=SECRET,
            endpoint_override=f"127.0.0.1:{port}",
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
        )
        bucket = Bucket(f"http://127.0.0.1:{port}", system)

        def is_up() -> bool:
            try:
                bucket.gate()
            except OSError:
                return False
            return True

        wait_for("the S3 server", is_up, 60)
        system.create_dir("eol")
        yield bucket
    finally:
        process.kill()
        process.wait()


def on_s3(scene: Scene, bucket: Bucket) -> Scene:
    """The scene with bundle, package and output in the bucket."""
    bucket.put(scene.folder / "list.txt", "scene/list.txt")
    bucket.put(scene.folder / "package", "scene/package")
    settings = {
        "endpoint": bucket.address,
        "endpoint.region": "us-east-1",
        "path.style.access": "true",
        "access.key": KEY,
        "secret.key": SECRET,
        "connection.ssl.enabled": "false",
    }
    words = [word for key, value in settings.items() for word in ("--conf", f"spark.hadoop.fs.s3a.{key}={value}")]
    path = class_path("hadoop-aws", "bundle", "analyticsaccelerator", "wildfly")
    options = (*scene.options, "--driver-class-path", path, *words)
    return replace(scene, options=options).at("s3a://eol/scene")


@dataclass(frozen=True)
class Reader:
    """What reading the notes of swaps takes."""

    bucket: Bucket

    def names(self, path: str) -> list[str]:
        """As Files.names."""
        return self.bucket.names(path)

    def read_text(self, path: str) -> str:
        """As Files.read_text."""
        return self.bucket.read(path).decode()


def counted_rows(bucket: Bucket, folder: str) -> "Counter[str]":
    """The rows of the files of a folder of the output that count."""
    names = [name for name in bucket.names(f"scene/out/{folder}") if name.startswith("part-")]
    for change in pending(Reader(bucket), "scene/out/_staging/swaps"):
        if change.folder == folder:
            names = sorted({*names} - change.hidden(names))
    tables = [pq.read_table(f"eol/scene/out/{folder}/{name}", filesystem=bucket.system) for name in names]
    return Counter(str(row) for table in tables for row in table.to_pylist())


def is_held_or_over(bucket: Bucket, job: "subprocess.Popen[str]") -> bool:
    """Whether the gate holds a request, or the job has ended."""
    return bucket.counted()["held"] > 0 or job.poll() is not None


def compact_under_kills(scene: Scene, bucket: Bucket) -> None:
    """Compaction is killed between two requests, again and again: what is there stays as it was."""
    (version,) = [info.base_name for info in bucket.system.get_file_info(fs.FileSelector("eol/scene/out/scores"))]
    folders = ("images", f"scores/{version}")
    right = {folder: counted_rows(bucket, folder) for folder in folders}
    met = set()
    for allowed in KILLED_AFTER:
        bucket.gate(allowed)
        job = scene.start(scene.command("compact_tables", "--rows-per-file", "100000", "--json"))
        wait_for("a held request", partial(is_held_or_over, bucket, job))
        scene.kill()
        job.communicate()
        bucket.gate()
        met |= {change.folder for change in pending(Reader(bucket), "scene/out/_staging/swaps")}
        for folder in folders:
            assert counted_rows(bucket, folder) == right[folder], (allowed, folder)
    assert met, "no kill fell into a swap"


def test_a_run_on_s3_is_killed_goes_on_and_ends_as_a_local_one(
    right: Right, s3_server_python: Path, tmp_path: Path
) -> None:
    with s3_server(s3_server_python) as bucket:
        scene = on_s3(right.scene, bucket)
        job = scene.start(scene.tagging())
        wait_for("two waves", lambda: len(bucket.names("scene/out/images")) >= 2 or job.poll() is not None)
        scene.kill()
        _, err = job.communicate()
        assert job.returncode == -9, err[-4000:]
        asked = len(right.server.requests)
        summary = scene.run(scene.tagging())
        assert summary["rows_in"] == right.said["tag"]["rows_in"]
        assert len(right.server.requests) - asked < 1_900, "what the first run had committed was fetched again"
        compact_under_kills(scene, bucket)
        first = published(scene)
        said = all_jobs(scene)
        assert said["plan"]["requests"] == right.said["plan"]["requests"]
        go_back_and_verify(scene, first)
        assert_same(bucket.get("scene/out", tmp_path / "got"), right.output)
