"""One function over many items, on all cores."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from train.cli import cores

T = TypeVar("T")
R = TypeVar("R")


def in_chunks(
    work: Callable[[Sequence[T]], R], items: Sequence[T], *, chunk: int, worth: int, processes: int | None = None
) -> Iterator[R]:
    """work(items[0:chunk]), work(items[chunk:2 * chunk]), ... in order.

    work: of a module's top level, or a partial of such, since it goes to other processes.
    worth: items below which another process does not pay for its start. processes: None for one on each core.
    """
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    workers = min(processes or cores(), max(1, len(items) // worth), len(chunks))
    if workers < 2:
        yield from map(work, chunks)
        return
    with ProcessPoolExecutor(workers, get_context(_start_method()), initializer=_ignore_interrupts) as pool:
        yield from pool.map(work, chunks)


def _start_method() -> str:
    """Forks are at work at once, others first import everything; but a fork of a process with threads may hang."""
    is_alone = threading.active_count() == 1 and "tensorflow" not in sys.modules  # its threads are none of Python's
    return "fork" if sys.platform == "linux" and is_alone else "spawn"


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
