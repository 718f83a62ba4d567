"""What the cluster tests run beside Spark, fetched once into the user's cache folder.

    python -m tests.cluster.fetched

Hadoop's jars by Maven (pom.xml), and an environment of its own for the S3 server (s3-server.txt): it wants other
versions of packages than eoltag.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pyspark

HERE: Final = Path(__file__).resolve().parent
SPARK_HOME: Final = Path(pyspark.__file__).parent
_READY: Final = ".ready"
_PATIENCE_S: Final = 900


class UnavailableError(Exception):
    """A part cannot be fetched here; says why in one line."""


def cache() -> Path:
    """The folder that holds everything."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eoltag" / "test-cluster"


def hadoop_version() -> str:
    """The one of the jars that pyspark ships."""
    (jar,) = (SPARK_HOME / "jars").glob("hadoop-client-api-*.jar")
    found = re.fullmatch(r"hadoop-client-api-(.+)\.jar", jar.name)
    assert found is not None
    return found[1]


def jars() -> Path:
    """The folder of Hadoop's jars. Raises UnavailableError where Maven, or what it fetches from, is out of reach."""
    pom = HERE / "pom.xml"
    target = cache() / f"hadoop-{hadoop_version()}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if (target / _READY).is_file():
        return target
    if shutil.which("mvn") is None:
        raise UnavailableError("Maven (mvn) is not installed, which fetches Hadoop's jars")
    print(f"fetching Hadoop {hadoop_version()} into {target} (once, 0.8 GB) ...", file=sys.stderr)
    fresh = target.with_name(f"{target.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
    _call(["mvn", "-q", "-B", "-f", str(pom), f"-Dhadoop.version={hadoop_version()}", *goal])
    (fresh / _READY).touch()
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target


def s3_python() -> Path:
    """The Python that runs the S3 server. Raises UnavailableError."""
    pins = HERE / "s3-server.txt"
    target = cache() / f"s3-server-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    if not (target / _READY).is_file():
        print(f"installing the S3 server into {target} (once) ...", file=sys.stderr)
        _call([sys.executable, "-m", "venv", "--clear", str(target)])
        _call([str(target / "bin/python"), "-m", "pip", "install", "-q", "--no-deps", "-r", str(pins)])
        (target / _READY).touch()
    return target / "bin/python"


def class_path(*names: str) -> str:
    """The fetched jars whose names begin so."""
    found = [str(path) for path in sorted(jars().glob("*.jar")) if path.name.startswith(names)]
    assert found, names
    return ":".join(found)


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as problem:
        raise UnavailableError(f"{command[0]} was not done after {_PATIENCE_S} s") from problem
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line] or ["no word of why"]
        raise UnavailableError(f"{Path(command[0]).name}: {lines[0][:300]}")


if __name__ == "__main__":
    try:
        print(jars(), s3_python(), sep="\n")
    except UnavailableError as problem:
        print(f"not all can be fetched here, and tests that need it are skipped: {problem}", file=sys.stderr)
