"""Several machines on one: network namespaces with addresses of their own, and a standalone Spark over them."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cluster.fetched import SPARK_HOME
from tests.cluster.hadoop import free_port
from tests.cluster.scene import wait_for

_BRIDGE: Final = "eoltag-test"
HEAD: Final = "10.77.91.1"
"""Driver, master and image server."""
WORKERS: Final = {"eoltag-one": "10.77.91.11", "eoltag-two": "10.77.91.12"}
"""Namespace -> address."""


def refusal() -> str | None:
    """Why there can be no namespaces here; None where there can be."""
    if shutil.which("ip") is None:
        return "iproute2 (ip) is not installed"
    done = subprocess.run(["ip", "netns", "add", "eoltag-probe"], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"no network namespace can be made ({done.stderr.strip()[:200]})"
    _ip("netns", "del", "eoltag-probe")
    return None


@contextmanager
def network() -> Iterator[None]:
    """A bridge on this machine, and a namespace for each worker that is plugged into it."""
    _remove()
    _ip("link", "add", _BRIDGE, "type", "bridge")
    try:
        _ip("addr", "add", f"{HEAD}/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for number, (name, address) in enumerate(WORKERS.items()):
            _ip("netns", "add", name)
            _ip("link", "add", f"eoltag-v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"eoltag-v{number}", "master", _BRIDGE, "up")
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        _remove()


def plug(name: str, *, is_in: bool) -> None:
    """Plug a worker in, or pull its plug: nothing reaches it then, and nobody is told."""
    number = list(WORKERS).index(name)
    _ip("link", "set", f"eoltag-v{number}", "up" if is_in else "down")


@dataclass
class Standalone:
    """A master and its workers."""

    master: str
    workers: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def kill(self, name: str) -> None:
        """A worker and its executors end at once."""
        for number in _ip("netns", "pids", name).split():
            with suppress(ProcessLookupError):
                os.kill(int(number), 9)
        self.workers[name].wait()


@contextmanager
def standalone(folder: Path, java: Path, cores: int) -> Iterator[Standalone]:
    """A standalone Spark over the network, whose two workers offer so many cores each."""
    folder.mkdir()
    port = free_port()
    cluster = Standalone(f"spark://{HEAD}:{port}")
    common = {**os.environ, "JAVA_HOME": str(java), "SPARK_DAEMON_MEMORY": "256m", "SPARK_NO_DAEMONIZE": "1"}
    spark = str(SPARK_HOME / "bin/spark-class")
    master = [spark, "org.apache.spark.deploy.master.Master", "--host", HEAD, "--port", str(port), "--webui-port", "0"]
    log = folder / "cluster.log"
    started = [_start(master, {**common, "SPARK_LOCAL_IP": HEAD}, log)]
    try:
        for name, address in WORKERS.items():
            worker = ["ip", "netns", "exec", name, spark, "org.apache.spark.deploy.worker.Worker", "--host", address]
            worker += ["--webui-port", "0", "--cores", str(cores), "--memory", "2g"]
            worker += ["--work-dir", str(folder / name), cluster.master]
            cluster.workers[name] = _start(worker, {**common, "SPARK_LOCAL_IP": address}, log)
            started.append(cluster.workers[name])
        wait_for("two workers", lambda: log.read_text().count("Successfully registered with master") == 2, 90)
        yield cluster
    finally:
        for name in cluster.workers:
            cluster.kill(name)
        started[0].kill()
        started[0].wait()


def _start(command: Sequence[str], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("a") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)


def _remove() -> None:
    cables = [("link", "del", f"eoltag-v{number}") for number in range(len(WORKERS))]  # a namespace goes when it can
    for words in (*cables, ("link", "del", _BRIDGE), *[("netns", "del", name) for name in WORKERS]):
        subprocess.run(["ip", *words], capture_output=True, check=False)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout
