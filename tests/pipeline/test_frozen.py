"""A process that somebody stops is ended; one that works or waits goes on."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.support.paths import ROOT

WORKER: Final = """
import os, signal, sys
from eoltag.pipeline import frozen

frozen.end_when_frozen(1.0)
frozen.end_when_frozen(1.0)
(watcher,) = frozen._watchers.values()
print(watcher.pid, flush=True)
if sys.argv[1] == "stop":
    os.kill(os.getpid(), signal.SIGSTOP)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(("what", "code"), [("stop", -signal.SIGKILL), ("wait", 0)])
def test_a_stopped_process_is_ended_and_its_watcher_ends_with_it(what: str, code: int) -> None:
    command = [sys.executable, "-c", WORKER, what]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        watcher = int(process.stdout.readline())
        if what == "wait":
            process.stdin.close()
        assert process.wait(20) == code
    _, alive = psutil.wait_procs([psutil.Process(watcher)] if psutil.pid_exists(watcher) else [], timeout=5)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
