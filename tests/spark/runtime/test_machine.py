"""Machines that have set otherwise what Spark needs: put right for the JVM and its workers, or refused in one line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.chaos import place
from eoltag.errors import UsageError
from eoltag.spark.runtime.machine import suit_spark
from tests.support.loopback import Loopback
from tests.support.paths import ROOT

LOCAL = "--master 'local[2,4]' --conf spark.x=y pyspark-shell"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"LANG": "en_GB.UTF-8"}, None),
        ({"LC_ALL": "C.utf8"}, None),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "C.UTF-8"),
        ({"LANG": "C"}, "C.UTF-8"),
        ({}, "C.UTF-8"),
    ],
)
def test_names_in_any_letters_are_right_under_any_locale(given: dict[str, str], wanted: str | None) -> None:
    environment = dict(given)
    suit_spark(environment, LOCAL)
    assert environment.get("LC_ALL", given.get("LC_ALL")) == (wanted or given.get("LC_ALL"))


def test_a_local_spark_needs_no_host_name_that_resolves_and_a_cluster_keeps_its_own() -> None:
    mine: dict[str, str] = {}
    suit_spark(mine, LOCAL)
    assert mine["SPARK_LOCAL_HOSTNAME"] == "localhost"
    theirs: dict[str, str] = {}
    suit_spark(theirs, "--master=yarn pyspark-shell")
    assert "SPARK_LOCAL_HOSTNAME" not in theirs
    named = {"SPARK_LOCAL_HOSTNAME": "here"}
    suit_spark(named, "--master=local pyspark-shell")
    assert named["SPARK_LOCAL_HOSTNAME"] == "here"


def test_workers_take_no_module_from_the_directory_that_a_job_is_started_in() -> None:
    environment: dict[str, str] = {}
    suit_spark(environment, LOCAL)
    assert environment["PYTHONSAFEPATH"] == "1"


def test_a_stale_spark_home_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^SPARK_HOME: /no/where holds no bin/spark-submit; unset it to use the Spark "
    ):
        suit_spark({"SPARK_HOME": "/no/where"}, LOCAL)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/spark-submit").touch()
    suit_spark({"SPARK_HOME": str(tmp_path)}, LOCAL)
    (tmp_path / "jars").mkdir()
    core = tmp_path / "jars/spark-core_2.12-3.5.1.jar"
    core.touch()
    with pytest.raises(UsageError, match=r"^SPARK_HOME: Spark 4 or newer was wanted; .* holds Spark 3; unset it"):
        suit_spark({"SPARK_HOME": str(tmp_path)}, LOCAL)
    core.rename(tmp_path / "jars/spark-core_2.13-4.0.1.jar")
    suit_spark({"SPARK_HOME": str(tmp_path)}, LOCAL)


def test_a_job_with_a_stale_spark_home_ends_before_anything_is_started(tmp_path: Path) -> None:
    command = [str(ROOT / "spark-submit.sh"), "jobs/tag_bundles.py", "--bundle", "x", "--task", "y", "--output", "z"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "SPARK_HOME": "/no/where"}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: SPARK_HOME: /no/where holds no bin/spark-submit")


def test_a_python_of_the_workers_that_cannot_run_eoltag_is_refused_before_each_of_their_tasks_fails() -> None:
    suit_spark({"PYSPARK_PYTHON": sys.executable}, LOCAL)
    with pytest.raises(
        UsageError, match=r"^PYSPARK_PYTHON: /no/where cannot be run \(No such file or directory\); wanted "
    ):
        suit_spark({"PYSPARK_PYTHON": "/no/where"}, LOCAL)
    with pytest.raises(
        UsageError, match=r"^PYSPARK_PYTHON: /bin/echo cannot run eoltag \(.*\); wanted Python 3\.\d+ with"
    ):
        suit_spark({"PYSPARK_PYTHON": "/bin/echo"}, LOCAL)
    suit_spark({"PYSPARK_PYTHON": "/no/where"}, "--master yarn pyspark-shell")  # there it names a file of the executors


def test_spark_needs_bash(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^bash is not on PATH \(.+\); Spark's own start scripts need it$"):
        suit_spark({"PATH": str(tmp_path)}, LOCAL)


@pytest.mark.spark
def test_settings_that_spark_cannot_start_with_end_a_job_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eoltag", "verify", str(tmp_path), "--spark-conf", "spark.driver.memory=100m"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYSPARK_")}
    done = subprocess.run(
        command, env={**own, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last.partition(":")[0]) == (2, "error")
    assert "Spark could not be started: org.apache.spark.SparkIllegalArgumentException: " in last
    assert "at org.apache" not in done.stderr


@pytest.mark.spark
def test_ctrl_c_is_heard_while_a_cluster_lets_spark_wait(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eoltag", "verify", str(tmp_path), "--master", "spark://127.0.0.1:1"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYSPARK_")}
    job = subprocess.Popen(
        command, env={**own, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert job.stderr is not None
    assert any("starting Spark" in line for line in job.stderr)
    time.sleep(5)  # for a minute nobody answers it
    job.send_signal(signal.SIGINT)
    _, said = job.communicate(timeout=20)
    assert (job.returncode, said.count("\n")) == (130, 1)
    assert said.startswith("interrupted: ")


@pytest.mark.slow
@pytest.mark.spark
def test_a_whole_run_on_a_machine_where_all_of_it_is_wrong(tmp_path: Path) -> None:
    place.draw(tmp_path / "pictures", 30)
    link = tmp_path / "linked.sh"
    link.symlink_to(ROOT / "spark-submit.sh")
    nameless = ["unshare", "--uts", "bash", "-c", 'hostname no-such-host-at-all && exec "$0" "$@"']
    may = shutil.which("unshare") and subprocess.run([*nameless, "true"], capture_output=True).returncode == 0
    with Loopback(tmp_path / "pictures") as server:
        made = place.prepare(tmp_path, server, 30, 0.0)
        for name in ("token.py", "types.py"):
            (tmp_path / name).write_text("raise SystemExit('taken for the module of Python')\n")
        command = made.tag("vögel-鸟", "one", urls=place.SHORT)
        done = subprocess.run(
            [*(nameless if may else []), str(link), *command[1:]],
            cwd=tmp_path,
            env={**os.environ, "LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii", "TMPDIR": str(made.temporary)},
            capture_output=True,
            text=True,
            timeout=250,
        )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "WARN" not in done.stderr
    assert "v\\xf6gel-\\u9e1f" in done.stdout
    assert (made.output("vögel-鸟") / "tsv/one/list_finaltags.tsv").read_text().count("\n") == 31
