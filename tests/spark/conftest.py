"""One local Spark session for all tests in this folder, as the job itself opens it."""

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from eoltag.spark.runtime.session import open_session, prepare_for
from tests.support.loopback import Loopback
from tests.support.paths import ROOT


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Two cores and the settings of conf/spark/local.conf."""
    warehouse = tmp_path_factory.mktemp("warehouse")
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--master local[2] --properties-file {ROOT}/conf/spark/local.conf "
        f"--conf spark.sql.warehouse.dir={warehouse} --conf spark.sql.shuffle.partitions=2 pyspark-shell"
    )
    os.environ["SPARK_CONF_DIR"] = f"{ROOT}/conf/spark"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    opened = open_session("eoltag tests")
    prepare_for(opened, rows=100)  # as a job does that has so few
    yield opened
    opened.stop()


@pytest.fixture(autouse=True)
def _quiet_sockets() -> Iterator[None]:
    """py4j leaves its sockets to the garbage collector; that is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


@pytest.fixture
def output_folder(tmp_path: Path) -> Path:
    """Where a job may write."""
    return tmp_path / "output"


@pytest.fixture
def server(sample_images: Path) -> Iterator[Loopback]:
    """The sample images, and faults."""
    with Loopback(sample_images) as running:
        yield running
