"""HDFS and YARN on loopback, each daemon a process of its own: name node, data node, resource and node managers."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from tests.cluster.fetched import SPARK_HOME, class_path
from tests.cluster.scene import wait_for

HOSTS: Final = ("127.0.0.2", "127.0.0.3")
"""Of the node managers."""
_SERVER: Final = "org.apache.hadoop"
_NAME_NODE: Final = f"{_SERVER}.hdfs.server.namenode.NameNode"
_DATA_NODE: Final = f"{_SERVER}.hdfs.server.datanode.DataNode"
_RESOURCE_MANAGER: Final = f"{_SERVER}.yarn.server.resourcemanager.ResourceManager"
_NODE_MANAGER: Final = f"{_SERVER}.yarn.server.nodemanager.NodeManager"


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Hadoop:
    """The running cluster."""

    folder: Path
    java: Path
    """JAVA_HOME."""
    name_node: str = ""
    """hdfs://HOST:PORT"""
    daemons: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def conf(self) -> Path:
        """HADOOP_CONF_DIR and YARN_CONF_DIR of clients."""
        return self.folder / "conf"

    def kill_node(self, host: str) -> None:
        """A node manager and all that it has started end at once, as when the machine loses power."""
        self.daemons[host].kill()
        for number in self.started_by(host):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def started_by(self, host: str, program: str = "") -> list[int]:
        """The processes that a node manager has started, with such words in their command line."""
        mark, found = f"NM_HOST={host}".encode(), []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_its = mark in (path / "environ").read_bytes().split(b"\0")
                if is_its and program.encode() in (path / "cmdline").read_bytes():
                    found.append(int(path.name))
        return found

    def executors(self) -> dict[str, int]:
        """Node manager -> JVMs of executors there."""
        return {host: len(self.started_by(host, "CoarseGrainedExecutorBackend")) for host in HOSTS}

    def shell(self, *words: str) -> str:
        """What `hadoop fs WORDS` prints."""
        done = subprocess.run(
            [*self.command(self.conf), f"{_SERVER}.fs.FsShell", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def command(self, conf: Path) -> list[str]:
        """Java with Hadoop's classes and these settings."""
        path = f"{conf}:{class_path('hadoop-client-minicluster', 'bc')}:{SPARK_HOME}/jars/*"
        logging = f"-Dlog4j2.configurationFile=file:{self.folder}/log4j2.properties"
        return [str(self.java / "bin/java"), "-Xmx320m", "-XX:+UseSerialGC", logging, "-cp", path]

    def start(self, name: str, main: str, conf: Path) -> None:
        """Start a daemon."""
        with (self.folder / f"{name}.log").open("w") as log:
            self.daemons[name] = subprocess.Popen(
                [*self.command(conf), main],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "HADOOP_CONF_DIR": str(conf), "JAVA_HOME": str(self.java)},
                start_new_session=True,
            )

    def said(self, name: str, words: str) -> bool:
        """Whether a daemon's log holds these words; it must not have ended."""
        log = (self.folder / f"{name}.log").read_text(errors="replace")
        assert self.daemons[name].poll() is None, log[-3000:]
        return words in log


@contextmanager
def hadoop(folder: Path, java: Path) -> Iterator[Hadoop]:
    """HDFS with one data node, YARN with two node managers, each with room for one executor of 2 GB; empty."""
    cluster = Hadoop(folder, java)
    ports = [free_port() for _ in range(8)]
    cluster.name_node = f"hdfs://127.0.0.1:{ports[0]}"
    common = _settings(folder, cluster.name_node, ports)
    _write(cluster.conf, common)
    (folder / "log4j2.properties").write_text(_LOGGING)  # for daemons: those who use the cluster log as they like
    try:
        formatting = [*cluster.command(cluster.conf), _NAME_NODE, "-format", "-nonInteractive"]
        done = subprocess.run(formatting, capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode == 0, done.stderr[-3000:]
        cluster.start("name-node", _NAME_NODE, cluster.conf)
        cluster.start("data-node", _DATA_NODE, cluster.conf)
        cluster.start("resource-manager", _RESOURCE_MANAGER, cluster.conf)
        for host in HOSTS:
            conf = folder / f"conf-{host}"
            _write(conf, {**common, **_of_node(folder, host)})
            cluster.start(host, _NODE_MANAGER, conf)
        wait_for("the data node", lambda: cluster.said("data-node", "successfully registered with NN"), 60)
        for host in HOSTS:
            wait_for("a node manager", partial(cluster.said, host, "Registered with ResourceManager"), 60)
        yield cluster
    finally:
        for host in HOSTS:
            if host in cluster.daemons:
                cluster.kill_node(host)
        for process in cluster.daemons.values():
            process.kill()
            process.wait()


def _settings(folder: Path, name_node: str, ports: list[int]) -> dict[str, str]:
    """What all daemons and clients share."""
    addresses = {
        "dfs.namenode.http-address": ports[1],
        "dfs.datanode.address": 0,
        "dfs.datanode.http.address": 0,
        "dfs.datanode.ipc.address": 0,
        "yarn.resourcemanager.address": ports[2],
        "yarn.resourcemanager.scheduler.address": ports[3],
        "yarn.resourcemanager.resource-tracker.address": ports[4],
        "yarn.resourcemanager.admin.address": ports[5],
        "yarn.resourcemanager.webapp.address": ports[6],
    }
    return {
        "fs.defaultFS": name_node,
        "hadoop.tmp.dir": str(folder / "tmp"),
        "dfs.namenode.name.dir": f"file://{folder}/names",
        "dfs.datanode.data.dir": f"file://{folder}/blocks",
        "dfs.replication": "1",
        "dfs.permissions.enabled": "false",
        "yarn.resourcemanager.hostname": "127.0.0.1",
        "yarn.scheduler.minimum-allocation-mb": "256",
        "yarn.nm.liveness-monitor.expiry-interval-ms": "10000",
        "yarn.resourcemanager.nm.liveness-monitor.interval-ms": "2000",
        **{key: f"127.0.0.1:{port}" for key, port in addresses.items()},
    }


def _of_node(folder: Path, host: str) -> Mapping[str, str]:
    """What is a node manager's own."""
    return {
        "yarn.nodemanager.hostname": host,
        "yarn.nodemanager.address": f"{host}:{free_port()}",
        "yarn.nodemanager.localizer.address": f"{host}:{free_port()}",
        "yarn.nodemanager.webapp.address": f"{host}:{free_port()}",
        "yarn.nodemanager.local-dirs": str(folder / f"local-{host}"),
        "yarn.nodemanager.log-dirs": str(folder / f"logs-{host}"),
        "yarn.nodemanager.resource.memory-mb": "3072",  # an executor of 2 GB, and at one node the application master
        "yarn.nodemanager.resource.cpu-vcores": "4",
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.pmem-check-enabled": "false",
        "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "100",
        "yarn.nodemanager.env-whitelist": "JAVA_HOME",
    }


def _write(conf: Path, settings: Mapping[str, str]) -> None:
    """As core-site.xml, hdfs-site.xml and yarn-site.xml: each part of Hadoop reads its own."""
    conf.mkdir(parents=True)
    rows = [
        f"<property><name>{name}</name><value>{escape(value)}</value></property>" for name, value in settings.items()
    ]
    text = "\n".join(['<?xml version="1.0"?>', "<configuration>", *rows, "</configuration>"])
    for site in ("core", "hdfs", "yarn"):
        (conf / f"{site}-site.xml").write_text(text)
    (conf / "capacity-scheduler.xml").write_text(_QUEUES)


_QUEUES: Final = """\
<?xml version="1.0"?>
<configuration>
<property><name>yarn.scheduler.capacity.root.queues</name><value>default</value></property>
<property><name>yarn.scheduler.capacity.root.default.capacity</name><value>100</value></property>
<property><name>yarn.scheduler.capacity.maximum-am-resource-percent</name><value>0.9</value></property>
</configuration>
"""
_LOGGING: Final = """\
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n
"""
