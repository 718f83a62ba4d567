"""What a command costs: wall time, CPU time and memory of all the processes it starts.

CPU time is what the kernel adds up for all that was waited for (this process adopts what the command leaves behind:
PR_SET_CHILD_SUBREAPER), or the sum of each process's last sample where that is more: a parent that ignores the end of
its children, as Spark's does, leaves theirs out. Memory is sampled: the sum of resident sizes over the process tree, in
which pages that forked workers share count once for each of them.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

SAMPLE_S: Final = 0.4
LEFT_BEHIND_S: Final = 15.0
"""How long what outlives the command may take to end by itself."""
_PR_SET_CHILD_SUBREAPER: Final = 36
_MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command cost."""

    code: int
    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    """All processes together."""
    peak_by_kind_mb: dict[str, float]
    """The largest single process: `first` (the command itself), `java`, `worker` (below a java: Spark's), `other`."""
    output: str
    """Standard output."""
    errors: str
    """The end of standard error."""


@dataclass(slots=True)
class _Memory:
    """Samples the process tree below `pid` until told to stop."""

    pid: int
    total_mb: float = 0.0
    by_kind_mb: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[int, float] = field(default_factory=dict)
    """By process, as last seen."""
    stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.stop.wait(SAMPLE_S):
            with suppress(psutil.Error):
                self._sample()

    def _sample(self) -> None:
        first = psutil.Process(self.pid)
        total_mb = 0.0
        kinds = {self.pid: "first"}
        for process in (first, *first.children(recursive=True)):  # parents come before their children
            with suppress(psutil.Error):
                is_spark = kinds.get(process.ppid()) in ("java", "worker")
                kind = "java" if process.name() == "java" else "worker" if is_spark else "other"
                kind = kinds.setdefault(process.pid, kind)
                used = process.cpu_times()
                self.cpu_s[process.pid] = used.user + used.system
                size_mb = process.memory_info().rss / _MB
                self.by_kind_mb[kind] = max(size_mb, self.by_kind_mb.get(kind, 0.0))
                total_mb += size_mb
        self.total_mb = max(self.total_mb, total_mb)


def run_measured(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 7200.0
) -> Usage:
    """Run it to its end; a command that fails or takes too long has a `code` other than 0."""
    _adopt_orphans()
    mine = {process.pid for process in psutil.Process().children()}
    cpu_before = _children_cpu_s()
    started = time.monotonic()
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        memory = _Memory(process.pid)
        watcher = threading.Thread(target=memory.watch, daemon=True)
        watcher.start()
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except BaseException as problem:  # an interrupt does not reach the command, which has a session of its own
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            memory.stop.set()
            if not isinstance(problem, subprocess.TimeoutExpired):
                raise
            output, errors = process.communicate()
        wall_s = time.monotonic() - started
        memory.stop.set()
        watcher.join()
    _wait_for_orphans(mine)
    cpu_s = max(_children_cpu_s() - cpu_before, sum(memory.cpu_s.values()))
    return Usage(process.returncode, wall_s, cpu_s, memory.total_mb, memory.by_kind_mb, output, errors[-4000:])


def _adopt_orphans() -> None:
    """Where the system cannot do that, CPU time of what outlives its parent is missing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait_for_orphans(mine: set[int]) -> None:
    """Wait for what the command left behind, so that its CPU time counts; end what does not end."""
    deadline = time.monotonic() + LEFT_BEHIND_S
    while True:
        orphans = [process for process in psutil.Process().children() if process.pid not in mine]
        if not orphans:
            return
        for process in orphans:
            with suppress(psutil.Error):
                if time.monotonic() > deadline:
                    process.kill()
                process.wait(0.1)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
