"""Ctrl-C and SIGTERM: one line, everything put in order, exit code 130 or 143. A second one ends the job at once.

The first signal writes its line, silences what would follow it, and raises Stopped in the main thread. Whatever comes
of that, what must not be left behind is ended by the callables that `ending` was given.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from eoltag.local.log import line_of

if TYPE_CHECKING:  # importing it takes as long as Python's own start, and until then nobody listens
    from eoltag.errors import UsageError

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
GRACE_S: Final = 15.0
"""So long may putting things in order take; then the job ends as by a second signal."""
GO_ON: Final = "what was committed stays; the same command goes on from there"
_SHELL: Final = 128
"""Shells add this to the number of a signal."""


class Stopped(BaseException):
    """The job is to stop now. No Exception, so that nothing on its way catches it."""


class _State:
    """This process's one state: signals are the process's, not a caller's."""

    exit_code: int | None = None
    """Once a signal has come."""
    reason: "UsageError | None" = None
    """Why the job stops by itself."""
    is_installed = False
    is_at_work = False
    """There may be something to put in order."""
    stderr = 2
    """Where the line goes; libraries may have turned 2 away."""
    needs_java = False
    """What is left behind lies where only the JVM can reach it: it must not be ended first."""
    go_on = GO_ON
    deferrals = 0
    is_owed = False
    endings: list[Callable[[], None]] = []  # one process, one state


_state = _State()


def install(go_on: str = "") -> None:
    """Listen. Signals that were blocked until now are let in; Ctrl-C that the shell has switched off stays so.

    go_on: what the line of a signal says besides.
    """
    _state.go_on = go_on or _state.go_on
    is_first, _state.is_installed = not _state.is_installed, True
    if is_first:
        _state.stderr = os.dup(2)
        os.register_at_fork(after_in_child=_forget)
    for number in SIGNALS:
        if not (is_first and number is signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN):
            signal.signal(number, _on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def heard(main: Callable[[], int]) -> int:
    """The exit code of `main`, inside which signals are heard; after one, this process ends here."""
    _state.is_at_work = True
    try:
        install()
        code = main()
        ignore()
    finally:
        if exit_code() is not None:
            leave()
    return code


def _forget() -> None:
    """In a fork: Ctrl-C is for the process that it came of, and no ending is its own."""
    _state.endings.clear()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Deaf:
    """What a module of a library takes for Python's `signal`: it can put no handler in."""

    def __getattr__(self, name: str) -> Any:
        return getattr(signal, name)

    def signal(self, _number: int, _handler: Any) -> None:
        """Nothing happens."""


@contextmanager
def own_handlers(library: ModuleType) -> Iterator[None]:
    """Inside, a module that would put its own handlers in cannot, and signals are heard as before."""
    if not _state.is_installed:
        yield
        return
    theirs = library.__dict__["signal"]
    library.__dict__["signal"] = _Deaf()
    try:
        yield
    finally:
        library.__dict__["signal"] = theirs


def ignore() -> None:
    """The work is done and shown: a signal changes nothing any more."""
    if _state.is_installed:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def exit_code() -> int | None:
    """What the process ends with because of a signal; None before one."""
    return _state.exit_code


def set_needs_java(*, needs: bool) -> None:
    """Whether putting things in order takes the JVM."""
    _state.needs_java = needs


def needs_java() -> bool:
    """As set_needs_java has said."""
    return _state.needs_java


def ending(end: Callable[[], None]) -> None:
    """Call this when a signal comes, unless the JVM is needed, and at the very end; it must bear being called twice."""
    _state.endings.append(end)


def stop_because(problem: "UsageError") -> None:
    """Stop the job from another thread, as by a signal, with the line and exit code of this problem."""
    if _state.is_installed and _state.exit_code is None:
        _state.reason = problem
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, a signal waits: for steps that must not be torn apart, such as starting a process and noting it."""
    _state.deferrals += 1
    try:
        yield
    finally:
        _state.deferrals -= 1
        if _state.is_owed and not _state.deferrals:
            _state.is_owed = False
            raise Stopped


def leave() -> NoReturn:
    """End everything and this process, without anything that Python would still do or print."""
    _end_all()
    os._exit(_state.exit_code or 0)


def _end_all() -> None:
    for end in _state.endings:
        try:
            end()
        except Exception:  # nothing may keep the others from ending
            continue


def _on_signal(number: int, _frame: FrameType | None) -> None:
    if _state.exit_code is not None:
        leave()
    reason = _state.reason
    _state.exit_code = _SHELL + number if reason is None else int(reason.exit_code)
    words = ("interrupted", _state.go_on) if reason is None else ("error", " ".join(str(reason).split()))
    _write_line(line_of(*words))
    if not _state.is_at_work:
        leave()
    _silence()
    watch = threading.Timer(GRACE_S, leave)
    watch.daemon = True
    watch.start()
    if not _state.needs_java:
        _end_all()
    if _state.deferrals:
        _state.is_owed = True
        return
    raise Stopped


def _write_line(line: str) -> None:
    """Past Python's buffers, in which the signal may have come; a progress bar is on a line of its own."""
    has_bar = any(not bar.disable for bar in getattr(getattr(sys.modules.get("tqdm"), "tqdm", None), "_instances", ()))
    start = ("\r\033[K" if os.isatty(_state.stderr) else "\n") if has_bar else ""
    os.write(_state.stderr, f"{start}{line}\n".encode())


def _silence() -> None:
    """What breaks now breaks because of the signal: nobody needs to read of it."""
    void = os.open(os.devnull, os.O_WRONLY)
    os.dup2(void, 2)
    os.dup2(void, 1)
    os.close(void)
