"""One progress bar in images, fed by Spark accumulators while a wave runs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from tqdm import tqdm

_POLL_S: Final = 0.25
_LOG_INTERVAL_S: Final = 10.0
"""Between two lines where stderr is a file and not a terminal."""


@contextmanager
def progress_bar(total: int, counts: Callable[[], tuple[int, int]], *, is_quiet: bool) -> Iterator[None]:
    """Shows images done of `total`, ok, failed, images/s and time left on stderr until the block ends.

    counts: (ok, failed) so far. A retried Spark task may count twice; the summary counts the written tables instead.
    """
    stop = Event()
    bar = tqdm(
        total=total,
        unit=" img",
        desc="tagging",
        dynamic_ncols=True,
        disable=is_quiet or total == 0,
        file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else _LOG_INTERVAL_S,
    )

    def show() -> None:
        ok, failed = counts()
        bar.set_postfix_str(f"ok {ok}, failed {failed}", refresh=False)
        bar.update(min(ok + failed, total) - bar.n)

    def poll() -> None:
        while not stop.wait(_POLL_S):
            show()

    thread = Thread(target=poll, name="eoltag-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        show()
        bar.close()
