"""Bundles, packages and output on HDFS, jobs on YARN with a packed environment; a driver and a node are killed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.conftest import Right
from tests.cluster.fetched import SPARK_HOME
from tests.cluster.hadoop import Hadoop, hadoop
from tests.cluster.scene import Scene, all_jobs, assert_same, go_back_and_verify, published, wait_for
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.usefixtures("hadoop_jars"),
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.spark,
    pytest.mark.timeout(3600),
]


@pytest.fixture
def cluster(tmp_path: Path, java: Path) -> Iterator[Hadoop]:
    """HDFS and YARN."""
    with hadoop(tmp_path / "hadoop", java) as running:
        yield running


def on_yarn(scene: Scene, cluster: Hadoop, executors: int) -> Scene:
    """The scene with bundle, package and output on HDFS, and so many executors on YARN, for each a node."""
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.yarn.jars": f"local:{SPARK_HOME}/jars/*",
        "spark.yarn.am.memory": "512m",
        "spark.executor.memory": "1g",
        "spark.executor.memoryOverhead": "1g",
        "spark.executor.cores": "2",
        "spark.executor.instances": str(executors),
        "spark.sql.shuffle.partitions": "2",
        "spark.network.timeout": "60s",
        # All are there before the first task, else a quick run may end before the last one comes.
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "300s",
    }
    words = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    environment = {"HADOOP_CONF_DIR": str(cluster.conf), "YARN_CONF_DIR": str(cluster.conf)}
    options = ("--master", "yarn", *words)
    return replace(scene, options=options, environment=environment).at(f"{cluster.name_node}/scene")


def unpacked(scene: Scene, cluster: Hadoop) -> Scene:
    """The same with executors' Python from the packed environment on HDFS."""
    packed = ("--archives", f"{cluster.name_node}/public/worker-env.tar.gz#environment")
    python = {"PYSPARK_PYTHON": "./environment/bin/python"}
    return replace(scene, options=(*scene.options, *packed), environment={**scene.environment, **python})


def committed(cluster: Hadoop) -> int:
    """The files of the images table."""
    listed = cluster.shell("-find", "/", "-name", "part-*").split()
    return sum("/scene/out/images/" in path for path in listed)


def test_a_run_on_yarn_loses_its_driver_then_a_node_and_ends_as_a_local_one(
    right: Right, cluster: Hadoop, tmp_path: Path
) -> None:
    cluster.shell("-mkdir", "-p", "/scene")
    cluster.shell("-put", str(right.scene.folder / "list.txt"), str(right.scene.folder / "package"), "/scene")
    scene = on_yarn(right.scene, cluster, 2)
    packing = replace(scene, options=(*scene.options, "--pack-env"))
    job = packing.start(packing.tagging())
    wait_for("a wave", lambda: committed(cluster) > 0 or job.poll() is not None, 600)
    scene.kill()
    _, err = job.communicate()
    assert job.returncode == -9, err[-4000:]

    # What everybody may read is unpacked once on each node, and not again for each job.
    cluster.shell("-mkdir", "/public")
    cluster.shell("-put", f"{ROOT}/build/worker-env.tar.gz", "/public")
    scene = unpacked(scene, cluster)
    asked = len(right.server.requests)
    job = scene.start(scene.tagging())
    wait_for("requests", lambda: len(right.server.requests) > asked + 150 or job.poll() is not None)
    wait_for("an executor on each node", lambda: all(cluster.executors().values()) or job.poll() is not None)
    assert job.poll() is None, job.communicate()[1][-4000:]
    cluster.kill_node("127.0.0.2")
    _, err = job.communicate(timeout=600)
    assert job.returncode == 0, err[-4000:]
    scene = unpacked(on_yarn(right.scene, cluster, 1), cluster)  # one node is left
    here = replace(scene, options=("--master", "local[2]"), environment={"HADOOP_CONF_DIR": str(cluster.conf)})
    first = published(here)
    said = all_jobs(scene)
    assert said["plan"]["requests"] == right.said["plan"]["requests"]
    go_back_and_verify(here, first)
    cluster.shell("-get", "/scene/out", str(tmp_path / "got"))
    assert_same(tmp_path / "got", right.output)
