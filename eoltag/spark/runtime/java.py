"""Spark's JVM, started while Python is still importing: each takes a second of one core.

pyspark starts a JVM where it does not know of one. This starts it as pyspark would, and passes on where it listens by
the environment variables that spark-submit uses for that: PYSPARK_GATEWAY_PORT and PYSPARK_GATEWAY_SECRET.
"""

import logging
import os
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from eoltag.errors import UsageError
from eoltag.local import signals
from eoltag.local.processes import kill_session
from eoltag.local.scratch import CLOSED, JAVA
from eoltag.spark.runtime.java_stderr import JavaStderr
from eoltag.spark.runtime.machine import suit_spark

_log: Final = logging.getLogger(__name__)
_POLL_S: Final = 0.02
_LAUNCHER_OPTIONS: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of the short-lived JVM that puts together the command line of the real one."""
_RUNNING: Final = f"""\
"$0" "$@"; code=$?; rm -rf -- "$JAVA_FOLDER"; folder="${{JAVA_FOLDER%/*}}"
if [ -e "$folder/{CLOSED}" ] || ! kill -0 "$PPID" 2>/dev/null; then
    rm -f -- "$folder/{CLOSED}"; rmdir -- "$folder" 2>/dev/null
fi
exit $code
"""
"""However the JVM ends, what it leaves on the disk goes, and the folder of a job that is over: one that lives on needs
its folder, to say what is wrong. A job that has ended is a process until its parent asks for its exit code."""
_KEPT_BACK_S: Final = 15.0
"""One that takes longer to start may be fetching packages, as it then says."""


@dataclass(frozen=True, slots=True)
class _Java:
    """A JVM on its way. It ends when its standard input does, so with this process at the latest."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    connection: Path
    """Where it will write its port and secret."""
    stderr: JavaStderr


_on_its_way: list[_Java] = []
_in_use: list[_Java] = []


def start_java() -> None:
    """Start the JVM of the session to come, where ./spark-submit.sh has left its options. Returns at once.

    Raises UsageError where SPARK_HOME is no Spark to start.
    """
    options = os.environ.get("PYSPARK_SUBMIT_ARGS")
    if options is None or "PYSPARK_GATEWAY_PORT" in os.environ or _on_its_way or has_java():
        return
    suited = dict(os.environ)
    suit_spark(suited, options)
    _log.info("starting Java")
    with signals.deferred():
        folder = Path(tempfile.mkdtemp(prefix=JAVA))
        connection = folder / "connection"
        environment = {"SPARK_LAUNCHER_OPTS": _LAUNCHER_OPTIONS, **suited}
        environment |= {"SPARK_CONNECT_MODE": "0", "_PYSPARK_DRIVER_CONN_INFO_PATH": str(connection)}
        environment |= {"JAVA_FOLDER": str(folder), "TMPDIR": str(folder)}
        environment["SPARK_SUBMIT_OPTS"] = f'{os.environ.get("SPARK_SUBMIT_OPTS", "")} "-Djava.io.tmpdir={folder}"'
        process = subprocess.Popen(
            ["bash", "-c", _RUNNING, str(_spark_home() / "bin" / "spark-submit"), *shlex.split(options)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which puts things in order first
        )
        assert process.stderr is not None, "a pipe"
        _on_its_way.append(_Java(process, folder, connection, JavaStderr(process.stderr)))


def has_java() -> bool:
    """pyspark has its JVM already."""
    loaded = sys.modules.get("pyspark.core.context")
    return loaded is not None and loaded.SparkContext._gateway is not None


def await_java() -> None:
    """Wait until the JVM listens, and pass on where. Raises UsageError where it ended before, with its own words."""
    if not _on_its_way:
        return
    java = _on_its_way[-1]
    _in_use.append(java)
    _on_its_way.pop()
    patient_until = time.monotonic() + _KEPT_BACK_S
    while not java.connection.is_file():
        if java.process.poll() is not None:
            raise UsageError(
                f"Java ended before Spark had started (exit code {java.process.returncode}): {java.stderr.last_words()}"
            )
        if time.monotonic() > patient_until:
            java.stderr.pass_on()
        time.sleep(_POLL_S)
    written = java.connection.read_bytes()
    port, length = struct.unpack_from("!ii", written)
    os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
    os.environ["PYSPARK_GATEWAY_SECRET"] = written[-length:].decode()
    java.connection.unlink()


def hear_java() -> None:
    """Let people see what Java says from now on, and has said so far."""
    for java in _in_use:
        java.stderr.pass_on()


def why_java_failed() -> str:
    """The reason that a JVM has logged for having no Spark; nothing where it has logged none, or was passed on."""
    return _in_use[-1].stderr.reason() if _in_use else ""


def stop_java() -> None:
    """End a JVM that nobody has waited for: the job stops before it needs one."""
    while _on_its_way:
        _end(_on_its_way.pop())


def end_java() -> None:
    """End the JVM and its workers at once, whatever they do."""
    for java in [*_on_its_way, *_in_use]:
        _end(java)


def _end(java: _Java) -> None:
    kill_session(java.process.pid)
    java.process.wait()
    shutil.rmtree(java.folder, ignore_errors=True)


def _spark_home() -> Path:
    """As pyspark finds it, without importing pyspark, which takes a while."""
    home = os.environ.get("SPARK_HOME")
    if home:
        return Path(home)
    found = find_spec("pyspark")
    assert found is not None, "installed with eoltag"
    assert found.origin is not None, "a package with an __init__.py"
    return Path(found.origin).parent
