"""Processes of this machine, named so that a dead one is told from another that was given its number."""

import os
import platform
import re
import signal
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

TOKEN: Final = re.compile(r"(\d+)_(\d+)_([0-9a-f]{8})_([0-9a-f]{8})")
"""Number, start, machine and boot of a process."""
_ROUNDS: Final = 3
"""A process may have begun another one while it was being ended."""


def own_token() -> str:
    """Names this process; fit for a file's name."""
    return f"{os.getpid()}_{_started(os.getpid()) or 0}_{_machine()}_{_boot()}"


def is_gone(token: str) -> bool | None:
    """Whether the process that calls itself so has ended; None where it ran on another machine, or for no token."""
    found = TOKEN.fullmatch(token)
    if found is None or found[3] != _machine():
        return None
    return found[4] != _boot() or _started(int(found[1])) != int(found[2])


def kill_session(leader: int) -> None:
    """End every process of a session at once, whatever process group it has put itself into."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)  # all there is to know of where there is no /proc
    for _ in range(_ROUNDS):
        found = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _session_of(int(path.name)) == leader]
        if not found:
            return
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return -1


def _started(pid: int) -> int | None:
    """When a process began, in ticks since the boot, 0 where the system does not tell; None where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _answers(pid)
    return None if fields[0] in "ZX" else int(fields[19])


def _answers(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0


def _machine() -> str:
    """This host, and the room in which its process numbers count: containers have one of their own each."""
    try:
        room = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        room = ""
    return _short(f"{platform.node()} {room}")


def _boot() -> str:
    try:
        return _short(Path("/proc/sys/kernel/random/boot_id").read_text())
    except OSError:
        return "0" * 8


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
