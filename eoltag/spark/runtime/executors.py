"""Says that a cluster has given no executor yet: what was asked for, where to look, and what to change."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, Final

from pyspark import SparkContext
from pyspark.sql import SparkSession

from eoltag.spark.runtime.session import Configuration

PATIENCE_S: Final = 30.0
_POLL_S: Final = 1.0
_NOT_STARTED: Final = (
    "Spark has not started yet, %.0f s more have passed: the cluster does not answer at the address of --master, or "
    "its queue has no room for the job (YARN: see the page of its ResourceManager); Ctrl-C ends the job"
)
_log: Final = logging.getLogger(__name__)


@contextmanager
def patiently() -> Iterator[None]:
    """Inside, Spark is starting on a cluster; each PATIENCE_S log that it has not, and what may be wrong."""
    is_over = Event()
    waiting = (is_over.is_set, lambda: _log.warning(_NOT_STARTED, PATIENCE_S), is_over.wait)
    Thread(target=complain_until, args=waiting, name="eoltag-start", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def watch_for_executors(session: SparkSession) -> None:
    """Log what is missing while the cluster gives no executor for PATIENCE_S, and again each time that long."""
    context = session.sparkContext
    waiting = (lambda: executors_of(context) > 0, lambda: _log.warning(text_of(context)))
    Thread(target=complain_until, args=waiting, name="eoltag-executors", daemon=True).start()


def complain_until(
    is_over: Callable[[], bool], complain: Callable[[], None], sleep: Callable[[float], object] = time.sleep
) -> None:
    """Call `complain` each PATIENCE_S, until it is over or the session has ended."""
    waited = 0.0
    while True:
        sleep(_POLL_S)
        try:
            if is_over():
                return
        except Exception:  # the session has ended, in one of many ways
            return
        waited += _POLL_S
        if waited % PATIENCE_S < _POLL_S:
            complain()


def executors_of(context: SparkContext) -> int:
    """How many there are beside the driver."""
    jsc: Any = context._jsc
    return len(jsc.sc().statusTracker().getExecutorInfos()) - 1


def text_of(context: SparkContext) -> str:
    """What a person needs to know who waits."""
    return (
        f"the cluster {context.master} has given no executor yet; asked for {asked_for(context.getConf())}; "
        f"its queue: {context.uiWebUrl or 'no UI (spark.ui.enabled=false)'}; to ask for less, put --executor-memory, "
        "--executor-cores or --num-executors in front of the job file (eoltag: --spark-conf spark.executor.memory=2g); "
        "Ctrl-C ends the job"
    )


def asked_for(conf: Configuration) -> str:
    """The executors that Spark asks the cluster for, in words."""
    number = conf.get("spark.executor.instances", "") or ""
    if conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        number = f"up to {conf.get('spark.dynamicAllocation.maxExecutors', '') or 'any number of'}"
    cores, memory = conf.get("spark.executor.cores", "") or "", conf.get("spark.executor.memory", "1g")
    return f"{number} executors with {f'{cores} cores' if cores else 'the cores of a worker'} and {memory} each".strip()
