"""One progress bar in images, fed by Spark accumulators while a wave runs.

Tasks report some thousand images at a time, so that a rate over the last moments would say nothing: rate and time left
are those of all so far. When all are done the last wave is still to be committed, which the bar then says.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final

from tqdm import tqdm

from eoltag.local import log

_POLL_S: Final = 0.25
_LOG_INTERVAL_S: Final = 10.0
"""Between two lines where stderr is a file and not a terminal."""
_COMMITTING: Final = "{desc}{n_fmt}/{total_fmt} [{elapsed}{postfix}]"


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
        smoothing=0,
        dynamic_ncols=True,
        disable=is_quiet or total == 0 or log.is_json(),
        file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else _LOG_INTERVAL_S,
    )

    def show() -> None:
        ok, failed = counts()
        bar.set_postfix_str(f"ok {ok}, failed {failed}", refresh=False)
        if not bar.disable and ok + failed >= total and bar.bar_format is None:
            bar.bar_format = _COMMITTING
            bar.set_description("committing", refresh=False)
        bar.update(min(ok + failed, total) - bar.n)

    def poll() -> None:
        if log.is_json() and not is_quiet:
            while not stop.wait(_LOG_INTERVAL_S):
                tell()
        while not stop.wait(_POLL_S):
            show()

    def tell() -> None:
        ok, failed = counts()
        log.event("progress", images=total, ok=ok, failed=failed)

    thread = Thread(target=poll, name="eoltag-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        show()
        bar.close()
        if not is_quiet and total:
            tell()
