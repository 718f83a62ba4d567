"""What a session that somebody else has opened offers: its settings, its tasks at a time, and a way for models."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pyspark import SparkContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from eoltag.errors import PackageError
from eoltag.pipeline.models import Carried, Held
from eoltag.spark.runtime.session import Configuration, is_local, threads_per_task

MOST_CARRIED: Final = 64 << 20
"""Bytes of models in a query of Spark Connect, whose server takes 128 MB unless it is told otherwise."""

_RETRIES_HERE: Final = re.compile(r"local\[[^,]+,\s*(\d+)\s*\]")


@dataclass(frozen=True)
class Cluster:
    """Where the tasks of a DataFrame run."""

    conf: Configuration
    slots: int
    """Tasks that can run at a time now."""
    is_fixed: bool
    """There will never be more."""
    send: Callable[[bytes], Held]
    """Brings bytes to the workers. Raises PackageError where these are too many."""

    @property
    def retries(self) -> bool:
        """A task whose process died is tried again."""
        master = self.conf.get("spark.master", "") or ""
        if is_local(self.conf) and not master.startswith("local-cluster"):
            found = _RETRIES_HERE.fullmatch(master)
            return found is not None and int(found.group(1)) > 1
        return self.conf.get("spark.task.maxFailures", "4") != "1"

    def rate_share(self, partitions: int) -> float:
        """What each task may use of a request rate, so that all that run at a time keep to it."""
        return 1 / (min(self.slots, partitions) if self.is_fixed else partitions)


def cluster_of(session: SparkSession) -> Cluster:
    """That of a classic session, or of one of Spark Connect."""
    if type(session).__module__.startswith("pyspark.sql.connect"):
        return _behind_connect(session)
    context = session.sparkContext
    conf = context.getConf()
    slots = max(1, context.defaultParallelism // threads_per_task(conf))
    return Cluster(conf, slots, is_local(conf), lambda packed: _broadcast(context, packed))


def _behind_connect(session: SparkSession) -> Cluster:
    """The client sees no executors: a range without a number of partitions has one for each core."""
    conf: Any = session.conf
    cores = session.range(1 << 16).select(F.spark_partition_id().alias("part")).distinct().count()
    return Cluster(conf, max(1, cores // threads_per_task(conf)), is_local(conf), Luggage().add)


@dataclass
class Luggage:
    """The models that travel inside a query."""

    size: int = 0
    """Their bytes."""

    def add(self, packed: bytes) -> Held:
        """Take one more. Raises PackageError where the server would not take the query."""
        self.size += len(packed)
        if self.size > MOST_CARRIED:
            raise PackageError(
                f"Spark Connect has no broadcast, so that models travel inside each query: at most {MOST_CARRIED:,} "
                f"bytes were wanted. Received: {self.size:,}; use a session on the cluster itself, or a smaller model"
            )
        return Carried(packed)


_sent: dict[tuple[str, str], Any] = {}
"""Broadcasts by application and content: in a notebook a cell is run many times."""


def _broadcast(context: SparkContext, packed: bytes) -> Held:
    key = (context.applicationId, hashlib.sha256(packed).hexdigest())
    if key not in _sent:
        for old in [old for old in _sent if old[0] != context.applicationId]:
            del _sent[old]
        _sent[key] = context.broadcast(packed)
    found: Held = _sent[key]
    return found
