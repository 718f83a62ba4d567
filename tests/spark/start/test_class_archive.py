"""The archive of Java classes that spark-submit.sh makes: it is written, and a later JVM takes its classes from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(600)]


def run_job(folder: Path, jvm_options: str) -> subprocess.CompletedProcess[str]:
    """The run with these options to its JVM, on a class path that an archive may be made of."""
    java = subprocess.run([ROOT / "spark-submit.sh", "--print-java-home"], capture_output=True, text=True, check=True)
    environment = {
        **os.environ,
        "JAVA_HOME": java.stdout.strip(),
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--master local[2] --properties-file {ROOT}/conf/spark/local.conf pyspark-shell",
        "SPARK_CONF_DIR": str(folder),
        "SPARK_SUBMIT_OPTS": jvm_options,
    }
    command = [sys.executable, "-m", "eoltag.spark.start.class_archive"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_a_jvm_takes_its_classes_from_the_archive_that_was_made_before(tmp_path: Path) -> None:
    empty, archive, log = tmp_path / "conf", tmp_path / "classes.jsa", tmp_path / "classes.txt"
    empty.mkdir()
    made = run_job(empty, f"-XX:ArchiveClassesAtExit={archive}")
    assert made.returncode == 0, made.stderr
    used = run_job(empty, f"-Xlog:class+load:file={log} -XX:SharedArchiveFile={archive}")
    assert used.returncode == 0, used.stderr
    loaded = [line for line in log.read_text().splitlines() if " org.apache.spark." in line]
    archived = [line for line in loaded if "source: shared objects file (top)" in line]
    from_jars = [line for line in loaded if "source: jar:" in line or "source: file:" in line]
    assert len(archived) > 3000
    assert len(from_jars) < len(archived) / 20
