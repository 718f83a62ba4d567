"""Images fetched in the background while the caller works on those that came before.

One thread and one event loop per process and settings, kept for the next call: Spark reuses its Python workers, so
connections, and what was learnt about hosts, outlive a task. Those of the settings used last are kept.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from eoltag.fetch.client import Fetcher
from eoltag.fetch.sinks import ByteBudget, Rationed
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings

__all__ = ["fetch_ahead"]

T = TypeVar("T")

_Numbered = tuple[int, FetchRequest]
_Result = tuple[int, Fetched | BaseException]

_AT_ONCE: Final = 8
"""Images begun together, out of 64 ahead: to wake the other thread for each of them took 0.4 ms of CPU an image."""

_CHECK_S: Final = 1.0
"""How often a caller that waits looks whether anybody still works for it, and whether images are set aside."""

_CLOSE_S: Final = 2.0

_LOOK_S: Final = 0.1
"""How often a caller looks whether more images are set aside than before, while some are."""

_MOST_SET_ASIDE: Final = 10_000
"""Images of one call that wait for hosts that are away; each takes about 5 KB."""

_LEFT: Final = Fetched(
    None, Outcome.CONNECT, "the host is away or asked for a pause; it is asked again at the end of the run", None, 0
)
"""What becomes of an image in this pass whose host is away when all others of its Spark task are done."""


def fetch_ahead(
    items: Iterable[T],
    request_of: Callable[[T], FetchRequest],
    settings: FetchSettings,
    *,
    rate_share: float,
    max_images: int,
    max_bytes: int,
    is_last_pass: bool = True,
    absences: dict[str, float] | None = None,
) -> Iterator[tuple[T, Fetched]]:
    """Each item once, with its image or the reason why there is none, in the order in which they come in.

    `items` is pulled in the caller's thread, at most max_images ahead of what was yielded; those that wait for a host
    that is away do not count. max_bytes bounds what was received and not yet yielded, see ByteBudget. Closing the
    generator cancels what is under way. is_last_pass: nobody asks again later, so that hosts that are away are waited
    for. absences: gets by host how long it was away, in seconds.
    """
    background = _take(settings)
    call = _Call(background, max_bytes)
    at_once = max(1, min(_AT_ONCE, max_images // 8))
    background.call_soon(background.begin, rate_share, is_last_pass)
    source = enumerate(items)
    waiting: dict[int, T] = {}
    done = 0
    try:
        while True:
            set_aside = min(background.set_aside, len(waiting), _MOST_SET_ASIDE)
            if len(waiting) - set_aside <= max_images - at_once:
                begun = list(islice(source, max_images - len(waiting) + set_aside))
                waiting.update(begun)
                call.submit([(number, request_of(item)) for number, item in begun])
                if not begun and not is_last_pass and 0 < len(waiting) == set_aside <= done:
                    yield from ((item, _LEFT) for item in waiting.values())
                    return
            if not waiting:
                return
            if (result := call.next_result()) is not None:
                number, fetched = result
                done += 1
                yield waiting.pop(number), fetched
    finally:
        if absences is not None:
            absences.update(background.fetcher.hosts.absences())
        call.cancel()
        _give_back(background)


class _Background:
    """A daemon thread that runs an event loop with one Fetcher."""

    def __init__(self, settings: FetchSettings) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self.fetcher = Fetcher(settings)
        self.calls = 0
        """Runs of fetch_ahead that use it now."""

    def started(self) -> "_Background":
        """This, with its thread running."""
        with self._starting:
            if self._thread is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="eoltag-fetch", daemon=True)
                self._thread.start()
                atexit.register(self.close, os.getpid())
        return self

    @property
    def is_alive(self) -> bool:
        """The thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Calls it in the thread."""
        self._loop.call_soon_threadsafe(function, *args)

    @property
    def set_aside(self) -> int:
        """Images of all calls that wait for a host that is away."""
        return self.fetcher.hosts.set_aside

    def begin(self, rate_share: float, is_last_pass: bool) -> None:
        """For all requests from now on."""
        self.fetcher.hosts.rate_share = rate_share
        self.fetcher.hosts.begin_pass(is_last=is_last_pass)

    def close(self, pid: int) -> None:
        """Ends the thread, in the process `pid` that began it; a fork shares its sockets and must leave them alone."""
        atexit.unregister(self.close)
        if os.getpid() != pid or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(_CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _finish(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self.fetcher.close()


MOST_IDLE: Final = 2
"""Threads that wait for a next call of the same settings."""

_backgrounds: dict[tuple[int, str], _Background] = {}
"""By process and settings, the one used last at the end. After a fork the parent's stay here, unused: to collect them
would close what is shared."""
_changing: Final = threading.RLock()


def _take(settings: FetchSettings) -> _Background:
    """The background of these settings, its thread running, until _give_back."""
    key = (os.getpid(), settings.model_dump_json())
    with _changing:
        background = _backgrounds.pop(key) if key in _backgrounds else _Background(settings)
        background.calls += 1
        _backgrounds[key] = background
    return background.started()


def _give_back(background: _Background) -> None:
    """Nobody waits for it any more, unless another call does; the idle ones that were used first are closed."""
    with _changing:
        background.calls -= 1
        idle = [key for key, one in _backgrounds.items() if key[0] == os.getpid() and not one.calls]
        dropped = [_backgrounds.pop(key) for key in idle[:-MOST_IDLE]]
    for one in dropped:
        one.close(os.getpid())


class _Call:
    """One run of fetch_ahead: what it has under way in the background."""

    def __init__(self, background: _Background, max_bytes: int) -> None:
        self._background = background
        self._budget = ByteBudget(max_bytes)
        self._results: SimpleQueue[_Result] = SimpleQueue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._handed_over = 0
        """Bytes that the background has not been told of yet."""
        self._most_untold = max_bytes // 16

    # Called in the caller's thread.

    def submit(self, wanted: list[_Numbered]) -> None:
        """Begins to fetch."""
        handed_over, self._handed_over = self._handed_over, 0
        if wanted or handed_over:
            self._background.call_soon(self._go_on, wanted, handed_over)

    def next_result(self) -> tuple[int, Fetched] | None:
        """Waits for the next image, whichever comes first; raises what a bug in the background raised.

        None where none has come for a moment and others may be begun, because some wait for a host that is away.
        """
        numbered = self._wait()
        if numbered is None:
            return None
        number, result = numbered
        if isinstance(result, BaseException):
            raise result
        if result.data is not None:
            self._handed_over += len(result.data)
            if self._handed_over > self._most_untold:
                self.submit([])
        return number, result

    def _wait(self) -> _Result | None:
        with suppress(Empty):
            return self._results.get_nowait()
        self.submit([])  # nothing may come until the background knows what was handed over
        while True:
            with suppress(Empty):
                return self._results.get(timeout=_LOOK_S if self._background.set_aside else _CHECK_S)
            if not self._background.is_alive:
                raise RuntimeError("the thread that fetches images has ended")
            if self._background.set_aside:
                return None

    def cancel(self) -> None:
        """Stops what is under way, without waiting for it."""
        with suppress(RuntimeError):  # the process ends, and the event loop has ended before
            self._background.call_soon(self._cancel)

    # Called in the background.

    def _go_on(self, wanted: list[_Numbered], handed_over: int) -> None:
        for number, request in wanted:
            task = asyncio.get_running_loop().create_task(self._fetch(number, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if handed_over:
            self._budget.hand_over(handed_over)

    async def _fetch(self, number: int, request: FetchRequest) -> None:
        result: Fetched | BaseException
        try:
            result = await self._background.fetcher.fetch(request, Rationed(self._budget))
        except asyncio.CancelledError:
            raise
        except BaseException as bug:  # the one boundary: whatever it is, the caller's thread must not wait for ever
            result = bug
        self._results.put((number, result))

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
