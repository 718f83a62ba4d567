"""A scene for all legs, and what an undisturbed run on this machine makes of it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cluster.fetched import UnavailableError, jars, s3_python
from tests.cluster.scene import Scene, all_jobs, write_scene
from tests.support.loopback import Loopback
from tests.support.paths import ROOT


class Right(NamedTuple):
    """What a local run makes."""

    scene: Scene
    output: Path
    said: dict[str, Any]
    """By its jobs."""
    server: Loopback


@pytest.fixture(scope="session")
def right(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Right]:
    """All jobs, one after the other, undisturbed on this machine."""
    folder = tmp_path_factory.mktemp("scene")
    (folder / "pictures").mkdir()
    with Loopback(folder / "pictures") as server:
        scene = write_scene(folder, server)
        tagged = scene.run(scene.tagging())
        yield Right(scene, folder / "out", {"tag": tagged, **all_jobs(scene)}, server)


@pytest.fixture(scope="session")
def hadoop_jars() -> Path:
    """The folder of Hadoop's jars; skips where they cannot be fetched."""
    try:
        return jars()
    except UnavailableError as problem:
        pytest.skip(f"Hadoop's jars cannot be fetched: {problem}")


@pytest.fixture(scope="session")
def s3_server_python() -> Path:
    """The Python of the S3 server; skips where it cannot be installed."""
    try:
        return s3_python()
    except UnavailableError as problem:
        pytest.skip(f"the S3 server cannot be installed: {problem}")


@pytest.fixture(scope="session")
def java() -> Path:
    """JAVA_HOME."""
    found = subprocess.run([ROOT / "spark-submit.sh", "--print-java-home"], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())
