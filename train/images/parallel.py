"""One function over many items, on all cores, with little to do for the process that waits.

Workers get all items at their start, by fork where that is safe, and then the ends of ranges only: what is sent for
each item costs the waiting process, which no further core makes quicker.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from typing import Any, TypeVar

from train.cli import cores

T = TypeVar("T")
R = TypeVar("R")

_given: tuple[Callable[[Sequence[Any]], Any], Sequence[Any]] | None = None
"""In a worker: what to do, and all items."""


def in_chunks(
    work: Callable[[Sequence[T]], R], items: Sequence[T], *, chunk: int, worth: int, processes: int | None = None
) -> Iterator[R]:
    """work(items[0:chunk]), work(items[chunk:2 * chunk]), ... in order.

    work: of a module's top level, or a partial of such, since it goes to other processes.
    worth: items below which another process does not pay for its start. processes: None for one on each core.
    """
    ranges = list(pairwise([*range(0, len(items), chunk), len(items)])) if items else []
    workers = min(processes or cores(), max(1, len(items) // worth), len(ranges))
    if workers < 2:
        yield from (work(items[start:stop]) for start, stop in ranges)
        return
    context = get_context(_start_method())
    with ProcessPoolExecutor(workers, context, initializer=_give, initargs=(work, items)) as pool:
        yield from pool.map(_run, ranges)


def _start_method() -> str:
    """Forks are at work at once, others first import everything; but a fork of a process with threads may hang."""
    is_alone = threading.active_count() == 1 and "tensorflow" not in sys.modules  # its threads are none of Python's
    return "fork" if sys.platform == "linux" and is_alone else "spawn"


def _give(work: Callable[[Sequence[Any]], Any], items: Sequence[Any]) -> None:
    global _given
    _given = work, items
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits


def _run(ends: tuple[int, int]) -> Any:
    assert _given is not None
    work, items = _given
    return work(items[slice(*ends)])
