"""What the console command sets for Spark: found Java, options, and what it leaves alone."""

import os
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from eoltag.errors import UsageError
from eoltag.spark.runtime import options
from eoltag.spark.runtime.options import find_java, prepare_spark, submit_options
from tests.support.paths import ROOT

LOCAL = str(ROOT / "conf/spark/local.conf")


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only Java of the machine, of version 17; nothing else is set."""
    for name in ("PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "SPARK_CONF_DIR", "JAVA_HOME"):
        monkeypatch.setenv(name, "")  # so that what the test sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(options, "_JVMS", tmp_path)
    return made(tmp_path, "17.0.2")


def made(folder: Path, version: str) -> Path:
    """A Java that is a file beside its version."""
    home = folder / f"java-{version}"
    (home / "bin").mkdir(parents=True)
    (home / "bin/java").touch(mode=0o755)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


def test_what_is_unset_is_set_for_this_machine(java: Path) -> None:
    prepare_spark(Namespace(master=None, spark_conf=["spark.driver.memory=4g"]))
    wanted = f"--master 'local[*,4]' --properties-file {LOCAL} --conf spark.driver.memory=4g pyspark-shell"
    assert os.environ["PYSPARK_SUBMIT_ARGS"] == wanted
    assert os.environ["JAVA_HOME"] == str(java)
    assert os.environ["PYSPARK_PYTHON"] == sys.executable
    assert os.environ["SPARK_CONF_DIR"] == str(ROOT / "conf/spark")


@pytest.mark.usefixtures("java")
def test_a_job_of_spark_submit_keeps_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_spark(Namespace())
    assert "JAVA_HOME" not in os.environ
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "mine pyspark-shell")
    prepare_spark(Namespace(master=None, spark_conf=[]))
    assert os.environ["PYSPARK_SUBMIT_ARGS"] == "mine pyspark-shell"


def test_another_master_takes_the_settings_of_a_cluster_over_its_own() -> None:
    conf = str(ROOT / "conf/spark/cluster.conf")
    assert submit_options("yarn", []) == ["--master", "yarn", "--properties-file", conf, "--load-spark-defaults"]


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--spark-conf: spark\.KEY=VALUE was wanted\. Received: 'spark\.ui'"):
        submit_options("local", ["spark.ui"])


def test_a_java_that_is_too_old_is_passed_over_and_none_is_told_in_one_line(
    java: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(made(tmp_path / "old", "11.0.1")))
    assert find_java() == java
    (java / "release").write_text('JAVA_VERSION="11.0.1"\n')
    with pytest.raises(UsageError, match=r"^Java 17 or newer was not found.*apt-get install openjdk-17-jre-headless"):
        find_java()
