"""Time that passes only when somebody sleeps, so that no test waits."""

import asyncio
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")


class OwnTime:
    """For one task: to sleep is to move the clock."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.naps: list[float] = []

    def clock(self) -> float:
        """Seconds, as of now."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.naps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class SharedTime:
    """For many tasks that do nothing but sleep: the clock moves to the next sleeper when all of them sleep.

    Has one event loop; close it when done.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.now = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def clock(self) -> float:
        """Seconds, as of now."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Waits for the clock to get there."""
        self._count += 1
        woken = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.now + seconds, self._count, woken))
        await woken

    def run(self, job: Coroutine[Any, Any, T], is_busy: Callable[[], bool] = lambda: False) -> T:
        """What `job` returns. is_busy: something real is under way, such as a request, and the clock stands still."""
        return self._runner.run(self._drive(job, is_busy))

    def close(self) -> None:
        """Ends the event loop."""
        self._runner.close()

    async def _drive(self, job: Coroutine[Any, Any, T], is_busy: Callable[[], bool]) -> T:
        task = asyncio.ensure_future(job)
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers and not task.done() and not is_busy():
                at, _, woken = heappop(self._sleepers)
                if not woken.done():  # else its task was cancelled
                    self.now = max(self.now, at)
                    woken.set_result(None)
        return await task
