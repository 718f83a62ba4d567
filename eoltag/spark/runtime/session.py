"""The Spark session, and what of its configuration the job needs to know."""

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.core import context
from pyspark.sql import SparkSession

from eoltag.errors import SettingsError, UsageError
from eoltag.local.signals import own_handlers
from eoltag.spark.runtime.java import await_java, hear_java, why_java_failed
from eoltag.spark.runtime.java_stderr import told
from eoltag.spark.runtime.machine import runs_here

_log: Final = logging.getLogger(__name__)
FEW_ROWS: Final = 10_000
"""Up to here, queries take less time than Spark would take to compile them."""

_FOR_FEW_ROWS: Final = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
}
"""Saves a fifth of the JVM's CPU time in a run over 20 rows: 2.5 of 12 seconds."""


class Configuration(Protocol):
    """Spark's settings as they were launched: a SparkConf, or the `conf` of a session."""

    def get(self, key: str, default: str, /) -> str | None:
        """The value of a key."""
        ...


def open_session(name: str) -> SparkSession:
    """The session that spark-submit configured, with what correctness asks for on top. Raises UsageError: no Spark."""
    is_new = SparkContext._active_spark_context is None
    if is_new:
        _log.info("starting Spark")
    await_java()
    try:
        # pyspark's own handler would cancel jobs by way of their stack traces
        with own_handlers(context), _waiting() if is_new else nullcontext():
            session = _open(name)
    except Py4JError as problem:
        _, _, java_said = str(problem).rpartition("\n: ")
        raise UsageError(f"Spark could not be started: {why_java_failed() or told(java_said)}") from problem
    hear_java()
    if is_new and not is_local(session.sparkContext.getConf()):
        from eoltag.spark.runtime.executors import watch_for_executors  # a local start need not wait for it

        _log.info("Spark runs on %s, its UI at %s", session.sparkContext.master, session.sparkContext.uiWebUrl)
        watch_for_executors(session)
    return session


def _waiting() -> AbstractContextManager[None]:
    """While a cluster lets the job wait, somebody says so."""
    options = os.environ.get("PYSPARK_SUBMIT_ARGS")
    if options is None or runs_here(options):
        return nullcontext()
    from eoltag.spark.runtime.executors import patiently  # a local start need not wait for it

    return patiently()


def _open(name: str) -> SparkSession:
    session = (
        SparkSession.builder.appName(name)
        # A speculative copy of a task would ask the image servers for everything twice.
        .config("spark.speculation", "false")
        # A bundle named 000001 or a version such as 1234e5 must stay text.
        .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        # Spark would put variables of the environment in the place of ${env:NAME}, even inside a text.
        .config("spark.sql.variable.substitute", "false")
        # lower() by Java's tables; those of ICU, which Spark prefers, take 2 seconds of CPU time to load.
        .config("spark.sql.icu.caseMappings.enabled", "false")
        # Rows of pictures go to workers some hundred at a time; 10,000 of them would be 250 MB.
        .config("spark.sql.execution.arrow.maxBytesPerBatch", 16 << 20)
        .config("spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        # The default from Hadoop 3.5 on keeps the length of each object that it has read: one that was replaced since
        # is then "not a Parquet file". Measured with hadoop-aws 3.5.0; tests/cluster/test_s3.py decides twice.
        .config("spark.hadoop.fs.s3a.input.stream.type", "classic")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    # pyspark logs a refused expression as JSON before it raises; the error's own line is what a person should see.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    # Checksum files beside every TSV would only break for people who edit one.
    jvm: Any = session._jvm
    jsc: Any = session._jsc
    jvm.org.apache.hadoop.fs.FileSystem.getLocal(jsc.hadoopConfiguration()).setWriteChecksum(False)
    return session


def prepare_for(session: SparkSession, rows: int) -> None:
    """Let the queries of a run fit the number of rows that they are about."""
    launched = session.sparkContext.getConf()
    for key, value in _FOR_FEW_ROWS.items():
        if rows <= FEW_ROWS:
            session.conf.set(key, value)
        elif launched.contains(key):
            session.conf.set(key, launched.get(key) or "")
        else:
            session.conf.unset(key)


def threads_per_task(conf: Configuration) -> int:
    """CPU threads of one task: spark.task.cpus."""
    return _whole_number(conf, "spark.task.cpus", 1)


def task_slots(context: SparkContext) -> int:
    """How many tasks can run at once: all cores of the cluster, at its largest, over spark.task.cpus."""
    cores, conf = context.defaultParallelism, context.getConf()
    if conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        executors = _whole_number(conf, "spark.dynamicAllocation.maxExecutors", 0)
        cores = max(cores, executors * _whole_number(conf, "spark.executor.cores", 1))
    return max(1, cores // threads_per_task(conf))


def has_gpu_tasks(conf: Configuration) -> bool:
    """Whether Spark gives each task a GPU or a part of one."""
    return float(conf.get("spark.task.resource.gpu.amount", "0") or 0) > 0


def is_local(conf: Configuration) -> bool:
    """Whether tasks run on this machine."""
    return (conf.get("spark.master", "") or "").startswith("local")


def _whole_number(conf: Configuration, key: str, default: int) -> int:
    value = conf.get(key, str(default)) or str(default)
    if not value.isdigit():
        raise SettingsError(f"Spark setting {key}: a whole number was wanted. Received: {value!r}")
    return int(value)
