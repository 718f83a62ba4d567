"""How fast each host is asked: its rate, its wish to be left alone for a while, and whether it is there at all.

Every worker keeps its own state and takes its share of the rate, so that no coordination is needed between them.
Times are seconds of one monotonic clock.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from eoltag.errors import Throttled
from eoltag.fetch.retry import RetryPolicy
from eoltag.settings import FetchSettings

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]
Jitter = Callable[[], float]

PUSH_BACK: Final = frozenset({429, 503})
"""Statuses that ask for fewer requests."""

RECOVERY: Final = 0.01
"""Part of the full rate that each answered request gives back: 50 from half to full, as in TCP's additive increase."""

SLOWEST: Final = 1 / 32
"""Part of the full rate that no push-back goes below: five halvings, from which the next answers still lead back."""

DOWN_AFTER: Final = 10
"""Requests in a row without any answer after which a host counts as down."""


class Host:
    """One host as this worker knows it. Made by Hosts."""

    def __init__(self, limit: float, hosts: "Hosts") -> None:
        self._hosts = hosts
        self._limit = limit
        self._rate = limit
        self._full_rate = limit
        self._next_at = 0.0
        self._paused_until = 0.0
        self._slowed_at = float("-inf")
        self._push_backs = 0
        self._unanswered = 0
        self._recent: deque[float] = deque(maxlen=32)
        self._queue = asyncio.Lock()

    @property
    def rate(self) -> float:
        """Requests a second of all workers together; 0 means no limit."""
        return self._rate

    @property
    def is_down(self) -> bool:
        """Did not answer at all, many times in a row: not worth a second attempt until it answers again."""
        return self._unanswered >= DOWN_AFTER

    async def take_turn(self) -> float:
        """Waits until one more request may start, and returns when it did. Each turn must be ended.

        Turns are first come, first served and evenly spaced: a late one does not let the next come earlier, so that no
        second ever holds more than the rate. Raises Throttled where the host wants to be left alone for longer
        than anybody waits.
        """
        hosts = self._hosts
        async with self._queue:
            while True:
                while (wait_s := self._wait_s()) > 0:
                    await hosts.sleep(wait_s)
                await hosts.in_flight.acquire()
                if self._paused_until <= hosts.clock():
                    break
                hosts.in_flight.release()
            now = hosts.clock()
            if self._rate:
                self._next_at = now + 1 / (self._rate * hosts.rate_share)
            self._recent.append(now)
            return now

    def end_turn(self) -> None:
        """The request that took a turn is over, however it went."""
        self._hosts.in_flight.release()

    def gave_no_answer(self) -> None:
        """No connection, or nothing came over it."""
        self._unanswered += 1

    def answered(self, asked_at: float, status: int, retry_after_s: float | None) -> None:
        """The host answered a request; asked_at is what its take_turn returned."""
        self._unanswered = 0
        if status in PUSH_BACK:
            self._slow_down(asked_at, retry_after_s or 0.0)
        else:
            self._speed_up()

    def _slow_down(self, asked_at: float, pause_s: float) -> None:
        """Nobody asks the host for a while, and from then on at half the rate.

        Of the requests that were under way together only the first counts, else sixteen of them would bring the rate
        down to nothing at once.
        """
        now = self._hosts.clock()
        if asked_at > self._slowed_at:
            self._slowed_at = now
            self._push_backs += 1
            pause_s = max(pause_s, self._hosts.policy.backoff_s(self._push_backs, self._hosts.jitter()))
            if not self._rate:
                self._rate = self._full_rate = self._recent_rate(now)
            self._rate = max(self._rate / 2, self._full_rate * SLOWEST)
        self._paused_until = max(self._paused_until, now + pause_s)

    def _speed_up(self) -> None:
        """A little faster from now on, up to the full rate; then as the settings say."""
        self._push_backs = 0
        if 0 < self._rate < self._full_rate:
            self._rate = min(self._rate + RECOVERY * self._full_rate, self._full_rate)
            if self._rate == self._full_rate:
                self._rate = self._limit

    def _wait_s(self) -> float:
        now = self._hosts.clock()
        paused_s = self._paused_until - now
        if paused_s > self._hosts.policy.cap_s:
            raise Throttled(f"the host asked to be left alone for another {paused_s:.0f} s", retry_after_s=paused_s)
        return max(paused_s, self._next_at - now if self._rate else 0.0)

    def _recent_rate(self, now: float) -> float:
        """The recent request rate of an unlimited host over all workers, assuming that they all ask alike."""
        seen = len(self._recent)
        elapsed_s = now - self._recent[0] if seen else 0.0
        return (seen / elapsed_s if elapsed_s > 0 else 1.0) / self._hosts.rate_share


class Hosts:
    """The hosts that this worker has asked. For one event loop.

    in_flight: bounds the requests under way to all hosts together.
    rate_share: this worker's part of every rate, in (0, 1]; may be changed between requests.
    """

    def __init__(
        self,
        settings: FetchSettings,
        rate_share: float = 1.0,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        jitter: Jitter = random.random,
    ) -> None:
        self.policy = RetryPolicy.of(settings)
        self.rate_share = rate_share
        self.in_flight = asyncio.Semaphore(settings.concurrency)
        self.clock = clock
        self.sleep = sleep
        self.jitter = jitter
        self._settings = settings
        self._hosts: dict[str, Host] = {}

    def of(self, name: str) -> Host:
        """The host by its name in lower case, without port; IPv6 in brackets."""
        host = self._hosts.get(name)
        if host is None:
            limit = self._settings.hosts.get(name, self._settings.requests_per_s)
            host = self._hosts[name] = Host(limit, self)
        return host
