"""What a starting JVM says on stderr: kept back until Spark has started, so that a failure is told in one line."""

import os
import re
from threading import Lock, Thread
from typing import IO, Final

_SILENCED: Final = b"WARNING: Using incubator modules: jdk.incubator.vector\n"
"""Logged at every start, about a module that Spark itself asks for."""
_UNCAUGHT: Final = 'Exception in thread "main" '
_PATIENCE_S: Final = 5.0
"""A process that outlives the JVM may hold its stderr open."""
_MOST_LINES: Final = 3
_LONGEST: Final = 300
"""Characters of what Java said."""
_REASON: Final = re.compile(r"Application has been killed\. Reason: (.+)")
_UNTELLING: Final = re.compile(r"\s+at |\s*\.\.\. \d+ more|WARNING:|\S+ \S+ (WARN|INFO) |Using Spark's default log4j")
"""The calls of a stack trace, and lines of a log."""
_MUTE: Final = re.compile(r"[\w.$]+(Exception|Error)")
"""An error that says nothing but its name."""


class JavaStderr:
    """Reads the standard error of a JVM to its end, in a thread of its own."""

    def __init__(self, pipe: IO[bytes]) -> None:
        """Begin to read, and to keep what comes."""
        self._pipe = pipe
        self._kept: bytearray | None = bytearray()
        self._lock = Lock()
        self._reader = Thread(target=self._read, name="eoltag-java-stderr", daemon=True)
        self._reader.start()

    def pass_on(self) -> None:
        """Write to this process's stderr what was kept, but for one usual warning, and from now on all as it comes."""
        with self._lock:
            if self._kept is not None:
                _write(bytes(self._kept))
            self._kept = None

    def last_words(self) -> str:
        """Why a JVM that has ended did, in one line of its own words."""
        self._reader.join(timeout=_PATIENCE_S)
        with self._lock:
            return told(bytes(self._kept or b"").decode(errors="replace"))

    def reason(self) -> str:
        """Why Spark gave up, where it has logged that: an unreachable master is told nowhere else."""
        with self._lock:
            found = _REASON.search(bytes(self._kept or b"").decode(errors="replace"))
        return found[1].strip() if found else ""

    def _read(self) -> None:
        with self._pipe as pipe:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                with self._lock:
                    if self._kept is None:
                        _write(chunk)
                    else:
                        self._kept += chunk


def told(said: str) -> str:
    """What Java said without its stack traces, in one line; of an error without a word, where it came up."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not _UNTELLING.match(line)]
    words = "; ".join(lines[:_MOST_LINES]).removeprefix(_UNCAUGHT)[:_LONGEST]
    if _MUTE.fullmatch(words):
        calls = [line.strip() for line in said.splitlines() if line.strip().startswith("at ")]
        words = " ".join([words, *calls[:_MOST_LINES]])
    return words or "it said nothing"


def _write(data: bytes) -> None:
    data = data.replace(_SILENCED, b"")
    while data:
        data = data[os.write(2, data) :]
