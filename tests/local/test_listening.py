"""The line of a signal arrives whatever libraries have done to stderr, and however early the signal comes."""

import os
import subprocess
import sys

from tests.support.paths import ROOT

EARLY = """
import os, signal
from eoltag.local import signals
signals.install("try again")
assert "numpy" not in __import__("sys").modules, "listening must not wait for what takes long to import"
os.kill(os.getpid(), signal.SIGINT)
import no_such_module
"""
TURNED_AWAY = """
import os, signal
from eoltag.local import signals

def main():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.kill(os.getpid(), signal.SIGTERM)
    return 0

signals.install("try again")
signals.heard(main)
"""
FORKED = """
import os, signal, sys
from eoltag.local import signals

def main():
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGINT)  # as the terminal sends it to the whole group
        os.kill(os.getpid(), signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
    return 0

signals.heard(main)
"""


def said(program: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_a_signal_before_the_work_has_begun_ends_in_its_line() -> None:
    assert said(EARLY) == (130, "", "interrupted: try again\n")


def test_the_line_arrives_while_a_library_keeps_stderr_quiet() -> None:
    assert said(TURNED_AWAY) == (143, "", "interrupted: try again\n")


def test_a_fork_leaves_ctrl_c_to_its_parent_and_says_nothing() -> None:
    assert said(FORKED) == (0, "-15\n", "")
