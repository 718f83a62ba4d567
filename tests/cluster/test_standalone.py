"""A standalone Spark on machines with addresses of their own: one is cut off, one dies; and the rate at the server."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.conftest import Right
from tests.cluster.machines import HEAD, Standalone, network, plug, refusal, standalone
from tests.cluster.scene import Scene, all_jobs, assert_same, wait_for, write_scene
from tests.support.loopback import Loopback

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.spark, pytest.mark.timeout(3600)]

WINDOW_S = 10.0
RATE = 60.0
RATE_IMAGES = 1_200
"""In one wave, for two windows."""
CUT_S = 20.0


@pytest.fixture(scope="module", autouse=True)
def _network() -> Iterator[None]:
    """Where it can be had."""
    if problem := refusal():
        pytest.skip(f"no machines of their own: {problem}")
    with network():
        yield


def on_cluster(scene: Scene, cluster: Standalone, cores: int) -> Scene:
    """The scene with its driver here and all executors on the workers."""
    settings = {
        "spark.driver.host": HEAD,
        "spark.driver.bindAddress": HEAD,
        "spark.driver.memory": "1g",
        "spark.executor.memory": "1g",
        "spark.executor.cores": str(cores),
        "spark.sql.shuffle.partitions": "2",
    }
    words = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    return replace(scene, options=("--master", cluster.master, *words))


@contextmanager
def served(folder: Path) -> Iterator[Loopback]:
    """The pictures of a scene, to all machines."""
    with Loopback(folder / "pictures", host=HEAD) as server:
        yield server


def test_a_machine_is_cut_off_and_another_dies_and_the_run_ends_as_a_local_one(
    right: Right, java: Path, tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    with served(tmp_path) as server, standalone(tmp_path / "spark", java, 2) as cluster:
        scene = on_cluster(write_scene(tmp_path, server), cluster, 2)
        shutil.rmtree(tmp_path / "package")  # a second one of the same process would be another version
        shutil.copytree(right.scene.package, tmp_path / "package")
        job = scene.start(scene.tagging())
        images = tmp_path / "out/images"
        wait_for("a wave", lambda: (images.is_dir() and any(images.iterdir())) or job.poll() is not None)
        scene.kill()
        _, err = job.communicate()
        assert job.returncode == -9, err[-4000:]
        asked = len(server.requests)
        job = scene.start(scene.tagging())
        wait_for("requests", lambda: len(server.requests) > asked + 100 or job.poll() is not None)
        plug("eoltag-two", is_in=False)
        time.sleep(CUT_S)
        plug("eoltag-two", is_in=True)
        wait_for("more requests", lambda: len(server.requests) > asked + 500 or job.poll() is not None)
        assert job.poll() is None, job.communicate()[1][-4000:]
        cluster.kill("eoltag-one")
        _, err = job.communicate(timeout=600)
        assert job.returncode == 0, err[-4000:]
        said = all_jobs(scene)
        assert said["plan"]["requests"] == right.said["plan"]["requests"]
        # The same pictures and faults, from another server: URLs differ in the address alone.
        assert_same(tmp_path / "out", right.output, {server.base: right.server.base})


def most_within(moments: Sequence[float], window_s: float) -> int:
    """The largest number of moments that lie within so many seconds."""
    first, most = 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] > window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("tasks", [2, 8, 32])
def test_the_request_rate_at_the_server_is_the_one_that_was_set(java: Path, tmp_path: Path, tasks: int) -> None:
    (tmp_path / "pictures").mkdir()
    with served(tmp_path) as server, standalone(tmp_path / "spark", java, tasks // 2) as cluster:
        scene = on_cluster(write_scene(tmp_path, server, RATE, RATE_IMAGES, 3600.0), cluster, tasks // 2)
        scene.run(scene.tagging())
    most = most_within(server.asked_at, WINDOW_S)
    print(
        f"{tasks} tasks: at most {most} requests in {WINDOW_S:.0f} s, {len(server.asked_at)} altogether, in "
        f"{server.asked_at[-1] - server.asked_at[0]:.0f} s"
    )
    assert most <= 1.05 * RATE * WINDOW_S
    assert len(server.requests) >= RATE_IMAGES - 1
