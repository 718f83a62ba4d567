"""The archive of Java classes that spark-submit.sh makes: it is written, and a later JVM takes its classes from it."""

import os
import shutil
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


def test_files_of_the_folder_that_it_is_made_in_are_not_taken_for_pythons_modules(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / ".venv").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "token.py").write_text("raise SystemExit('taken for the module of Python')\n")
    shutil.copy(ROOT / "spark-submit.sh", root)
    for name in ("eoltag", "jobs", "conf", "constraints.txt"):
        (root / name).symlink_to(ROOT / name)
    for path in Path(sys.prefix).iterdir():
        if not path.name.startswith("spark-"):
            (root / ".venv" / path.name).symlink_to(path)
    environment = {
        key: text for key, text in os.environ.items() if not key.startswith(("SPARK_", "EOLTAG_", "PYSPARK_"))
    }
    command = [root / "spark-submit.sh", "jobs/report_tags.py", "--output", elsewhere / "none"]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300)
    if "archiving Spark's classes" not in done.stderr:
        pytest.skip("this Java makes its archive by itself")
    assert "that failed" not in done.stderr, done.stderr
    (archive,) = (root / ".venv").glob("spark-classes-*.jsa")
    assert archive.stat().st_size > 10_000_000
