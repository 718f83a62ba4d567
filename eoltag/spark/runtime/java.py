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

from eoltag.local import signals
from eoltag.local.processes import kill_session
from eoltag.local.scratch import JAVA
from eoltag.spark.runtime.machine import suit_spark

_log: Final = logging.getLogger(__name__)
_POLL_S: Final = 0.02
_LAUNCHER_OPTIONS: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of the short-lived JVM that puts together the command line of the real one."""
_REMOVING: Final = '; code=$?; rm -rf -- "$JAVA_FOLDER"; rmdir -- "${JAVA_FOLDER%/*}" 2>/dev/null; exit $code'
"""However the JVM ends, what it leaves on the disk goes, and the folder of a job that was killed with it."""
_WITHOUT_WARNING: Final = '"$0" "$@" 2> >(exec grep --line-buffered -vxF "$SILENCED" >&2)'
_WITH_BARS: Final = "spark.ui.showConsoleProgress=true"
"""These come without line breaks, for which a filter of lines would wait."""
_SILENCED: Final = "WARNING: Using incubator modules: jdk.incubator.vector"
"""Logged at every start, about a module that Spark itself asks for."""


@dataclass(frozen=True, slots=True)
class _Java:
    """A JVM on its way. It ends when its standard input does, so with this process at the latest."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    connection: Path
    """Where it will write its port and secret."""


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
        environment = {"SPARK_LAUNCHER_OPTS": _LAUNCHER_OPTIONS, **suited, "SILENCED": _SILENCED}
        environment |= {"SPARK_CONNECT_MODE": "0", "_PYSPARK_DRIVER_CONN_INFO_PATH": str(connection)}
        environment |= {"JAVA_FOLDER": str(folder), "TMPDIR": str(folder)}
        environment["SPARK_SUBMIT_OPTS"] = f'{os.environ.get("SPARK_SUBMIT_OPTS", "")} "-Djava.io.tmpdir={folder}"'
        how = '"$0" "$@"' if _WITH_BARS in options else _WITHOUT_WARNING
        process = subprocess.Popen(
            ["bash", "-c", how + _REMOVING, str(_spark_home() / "bin" / "spark-submit"), *shlex.split(options)],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process, which puts things in order first
        )
        _on_its_way.append(_Java(process, folder, connection))


def has_java() -> bool:
    """pyspark has its JVM already."""
    loaded = sys.modules.get("pyspark.core.context")
    return loaded is not None and loaded.SparkContext._gateway is not None


def await_java() -> None:
    """Wait until the JVM listens, and pass on where. If it has ended, pyspark starts one and reports what is wrong."""
    if not _on_its_way:
        return
    java = _on_its_way[-1]
    _in_use.append(java)
    _on_its_way.pop()
    while not java.connection.is_file() and java.process.poll() is None:
        time.sleep(_POLL_S)
    if java.connection.is_file():
        written = java.connection.read_bytes()
        port, length = struct.unpack_from("!ii", written)
        os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
        os.environ["PYSPARK_GATEWAY_SECRET"] = written[-length:].decode()
        java.connection.unlink()


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
