"""Spark's JVM on its way while Python imports: found, given up, or left to pyspark. A script stands in for Spark."""

import os
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eoltag.errors import UsageError
from eoltag.local import scratch
from eoltag.spark.runtime import java
from eoltag.spark.runtime.java_stderr import told

LISTENS = """#!/bin/bash
echo "WARNING: Using incubator modules: jdk.incubator.vector" >&2
echo "a line of Java's, $*" >&2
echo $$ > {folder}/pid
cp {folder}/told "$_PYSPARK_DRIVER_CONN_INFO_PATH.new"
mv "$_PYSPARK_DRIVER_CONN_INFO_PATH.new" "$_PYSPARK_DRIVER_CONN_INFO_PATH"
read -r _
"""
FAILS = """#!/bin/bash
echo "WARNING: Using incubator modules: jdk.incubator.vector" >&2
echo "26/11/29 16:00:00 WARN Utils: Your hostname resolves to a loopback address" >&2
echo 'Exception in thread "main" org.apache.spark.SparkException: Could not parse Master URL: nonsense' >&2
printf '\tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)\n\t... 3 more\n' >&2
exit 1
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A SPARK_HOME whose spark-submit is to be written, and the environment that ./spark-submit.sh leaves."""
    secret = b"open sesame"
    (tmp_path / "bin").mkdir()
    (tmp_path / "told").write_bytes(struct.pack("!i", 4711) + struct.pack("!i", len(secret)) + secret)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master 'local[2]' pyspark-shell")
    for name in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(java, "_in_use", [])
    monkeypatch.setattr(java, "has_java", lambda: False)  # other tests may have started one
    yield tmp_path
    for one in java._in_use:
        assert one.process.stdin is not None
        one.process.stdin.close()
        one.process.wait()


def submit(home: Path, script: str) -> None:
    """What stands in for bin/spark-submit."""
    path = home / "bin/spark-submit"
    path.write_text(script.format(folder=home))
    path.chmod(0o755)


def test_pyspark_is_told_where_java_listens_and_all_but_its_usual_warning_is_heard(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    submit(home, LISTENS)
    java.start_java()
    java.start_java()  # once is enough
    java.await_java()
    java.hear_java()
    assert (os.environ["PYSPARK_GATEWAY_PORT"], os.environ["PYSPARK_GATEWAY_SECRET"]) == ("4711", "open sesame")
    (one,) = java._in_use
    assert one.process.poll() is None, "it waits for its standard input to end"
    assert one.process.stdin is not None
    one.process.stdin.close()
    assert one.process.wait() == 1  # read found no line
    heard = ""
    while "local[2]" not in heard:
        heard += capfd.readouterr().err
    assert heard == "a line of Java's, --master local[2] pyspark-shell\n"


def is_running(process: Path) -> bool:
    """Neither gone nor waiting for its parent to notice."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def of_session(process: Path, session: int) -> bool:
    """Whether a process belongs to a session."""
    try:
        return os.getsid(int(process.name)) == session
    except OSError:
        return False


def running_in(session: int) -> list[str]:
    """The processes of a session."""
    return [path.name for path in Path("/proc").glob("[0-9]*") if is_running(path) and of_session(path, session)]


def test_java_that_ends_by_itself_is_told_in_one_line_and_its_folder_goes_but_not_the_jobs(
    home: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    of_job = tmp_path_factory.mktemp("of_job")
    monkeypatch.setattr(tempfile, "tempdir", str(of_job))
    submit(home, FAILS)
    java.start_java()
    with pytest.raises(UsageError) as told:
        java.await_java()
    assert str(told.value) == (
        "Java ended before Spark had started (exit code 1): "
        "org.apache.spark.SparkException: Could not parse Master URL: nonsense"
    )
    assert "PYSPARK_GATEWAY_PORT" not in os.environ
    assert capfd.readouterr().err == ""
    assert [*of_job.iterdir()] == []


def test_a_job_that_stops_before_it_needs_java_leaves_none_behind(home: Path) -> None:
    submit(home, LISTENS)
    java.start_java()
    while not (home / "pid").exists() or not (home / "pid").read_text():
        pass
    pid = int((home / "pid").read_text())
    session, folder = os.getsid(pid), java._on_its_way[0].folder
    java.stop_java()
    until = time.monotonic() + 5  # the system ends a killed process in its own time
    while (left := running_in(session)) and time.monotonic() < until:
        pass
    assert left == []
    assert not folder.exists()
    java.await_java()
    assert "PYSPARK_GATEWAY_PORT" not in os.environ


def test_without_the_options_of_spark_submit_nothing_is_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(home, LISTENS)
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS")
    java.start_java()
    assert java._on_its_way == []
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "pyspark-shell")
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    java.start_java()
    assert java._on_its_way == []
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT")
    monkeypatch.setattr(java, "has_java", lambda: True)
    java.start_java()
    assert java._on_its_way == []


@pytest.mark.parametrize("is_java_first", [True, False])
def test_the_folder_of_a_job_goes_though_nobody_has_asked_for_its_exit_code(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, is_java_first: bool
) -> None:
    """A process that has ended stays one until its parent asks; here it is this process, which lives on."""
    monkeypatch.setattr(scratch, "_folders", [])
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    monkeypatch.setenv("TMPDIR", str(home))
    folder = scratch.open_scratch()
    submit(home, LISTENS)
    java.start_java()
    java.await_java()
    (one,) = java._in_use
    assert one.process.stdin is not None
    if is_java_first:
        one.process.stdin.close()
        one.process.wait()
        assert list(folder.iterdir()) == [], "the job may need it yet"
        scratch.close_scratch()
    else:
        scratch.close_scratch()
        assert one.folder.is_dir(), "Java needs it yet"
        one.process.stdin.close()
        one.process.wait()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("java.io.IOException: no room\n\tat a.B.c(B.java:1)\n", "java.io.IOException: no room"),
        (
            "java.util.ConcurrentModificationException\n\tat a.B.c(B.java:1)\n\tat a.D.e(D.java:2)\n",
            "java.util.ConcurrentModificationException at a.B.c(B.java:1) at a.D.e(D.java:2)",
        ),
        ("", "it said nothing"),
    ],
)
def test_an_error_of_java_without_a_word_is_told_with_its_place(said: str, wanted: str) -> None:
    assert told(said) == wanted
