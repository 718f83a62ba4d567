"""A process that is stopped from outside is ended, so that its work is done again: it cannot notice this itself.

A small process beside it looks at its state. As a program: seconds, and the process that it is the child of.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from select import select
from typing import Final

LOOK_S: Final = 1.0
"""Seconds between two looks; each takes 0.05 ms of CPU."""
_STOPPED: Final = "T"
"""State of a process that got SIGSTOP; one that a debugger holds has another."""

_watchers: dict[int, "subprocess.Popen[bytes]"] = {}
"""By process: a fork has none of its own."""


def end_when_frozen(limit_s: float) -> None:
    """From now on this process is ended where it has been stopped for so long. Once for all; only where /proc tells."""
    if os.getpid() in _watchers or not Path("/proc/self/stat").exists():
        return
    _watchers[os.getpid()] = subprocess.Popen(
        [sys.executable, "-S", "-E", __file__, str(limit_s), str(os.getpid())],
        stdin=subprocess.PIPE,  # ends with this process, and the watcher with it
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def watch(limit_s: float, pid: int) -> None:
    """Until stdin ends, as it does when the process `pid` is gone."""
    stopped_s = 0.0
    while not select([sys.stdin], [], [], LOOK_S)[0]:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        stopped_s = stopped_s + LOOK_S if state == _STOPPED else 0.0
        if stopped_s >= limit_s:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    watch(float(sys.argv[1]), int(sys.argv[2]))
