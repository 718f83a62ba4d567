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

from eoltag.errors import ImageError, Throttled
from eoltag.fetch.retry import RetryPolicy
from eoltag.settings import FetchSettings

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[object]]
Jitter = Callable[[], float]

PUSH_BACK: Final = frozenset({420, 429, 503})
"""Statuses that ask for fewer requests; 420 is GBIF's."""

UNAVAILABLE: Final = PUSH_BACK | {502, 504, *range(520, 525)}
"""Statuses that a host gives while nobody is there to answer: its gateway speaks, or it turns everybody away."""

RECOVERY_S: Final = 8.0
"""Seconds without a push-back after which a host is asked at the full rate again: slowly at first, then faster."""

LONGEST_PAUSE_S: Final = 2.0
"""A pause that no server named is no longer: the slower rate is what spares it then."""

SLOWEST: Final = 1 / 32
"""Part of the full rate that no push-back goes below: five halvings."""

AWAY_AFTER: Final = 10
"""Requests in a row without an answer that is of use, after which a host counts as away."""

STORM: Final = 8
"""Refused requests among the last 32 that make a storm: no single image can refuse so often."""

_PROBE_S: Final = 8.0
"""Longest time between two probes of a host that is away, as each worker makes them."""

_SLICE_S: Final = 0.25
"""How often a waiting request looks what the rate is by now, while it recovers."""

_LONG_PAUSE_S: Final = 5.0
"""Images that wait through a longer pause are set aside, and others are begun in their place."""


class Host:
    """One host as this worker knows it. Made by Hosts."""

    def __init__(self, name: str, limit: float, hosts: "Hosts") -> None:
        self._name = name
        self._hosts = hosts
        self._limit = limit
        self._full_rate = limit
        self._low_rate = limit
        """The rate right after the last push-back."""
        self._last_at = float("-inf")
        self._paused_until = float("-inf")
        self._slowed_at = float("-inf")
        self._push_backs = 0
        self._in_vain = 0
        """Requests in a row without an answer that is of use."""
        self._problem: ImageError | None = None
        """What was wrong with the last of them."""
        self._may_pass = False
        """Waiting may help."""
        self._away_since = 0.0
        self._probe_at = 0.0
        self._probed = 0
        """Probes since it went away."""
        self._probes = 0
        """Requests that are under way to find out whether the host is back."""
        self._waiting = 0
        self._recent: deque[float] = deque(maxlen=32)
        self._refusals: deque[bool] = deque(maxlen=32)
        self._queue = asyncio.Lock()

    @property
    def rate(self) -> float:
        """Requests a second of all workers together; 0 means no limit."""
        calm_s = self._hosts.clock() - max(self._slowed_at, self._paused_until)
        if calm_s >= RECOVERY_S:
            return self._limit
        rate = self._low_rate + self._full_rate * (max(calm_s, 0.0) / RECOVERY_S) ** 2
        return rate if rate < self._full_rate else self._limit

    @property
    def is_away(self) -> bool:
        """Gave no answer that is of use, many times in a row: it is probed until it does."""
        return self._in_vain >= AWAY_AFTER and self._may_pass

    @property
    def is_given_up(self) -> bool:
        """Not worth a second attempt: it gives no answer, and has done so for as long as anybody waits, if at all."""
        return self._in_vain >= AWAY_AFTER and (not self._may_pass or self.away_s >= self._hosts.wait_s)

    @property
    def is_in_storm(self) -> bool:
        """Refuses many requests, whatever they ask for."""
        return sum(self._refusals) >= STORM

    @property
    def away_s(self) -> float:
        """Seconds since it has been away; 0 where it is not."""
        return self._hosts.clock() - self._away_since if self.is_away else 0.0

    @property
    def set_aside(self) -> int:
        """Requests that wait until the host is back, or through a long pause."""
        is_paused = self._paused_until - self._hosts.clock() > _LONG_PAUSE_S
        return self._waiting if self.is_away or is_paused else 0

    async def take_turn(self) -> float:
        """Waits until one more request may start, and returns when it did. Each turn must be ended.

        Turns are first come, first served and evenly spaced: a late one does not let the next come earlier, so that no
        second ever holds more than the rate. Raises Throttled where the host wants to be left alone for longer
        than anybody waits, and what is wrong with it where it has been away for longer.
        """
        hosts = self._hosts
        self._waiting += 1
        try:
            async with self._queue:
                while True:
                    while (wait_s := self._wait_s()) > 0:
                        await hosts.sleep(wait_s)
                    await hosts.in_flight.acquire()
                    now = hosts.clock()
                    if self._paused_until <= now and not (self.is_away and now < self._probe_at):
                        break
                    hosts.in_flight.release()
                self._begin(now)
                return now
        finally:
            self._waiting -= 1

    def end_turn(self) -> None:
        """The request that took a turn is over, however it went."""
        self._probes = max(0, self._probes - 1)
        self._hosts.in_flight.release()

    def gave_no_answer(self, problem: ImageError, *, may_pass: bool = True) -> None:
        """No connection, or nothing came over it. may_pass: waiting may help."""
        was_away, now = self.is_away, self._hosts.clock()
        self._in_vain += 1
        self._problem, self._may_pass = problem, may_pass and self._hosts.wait_s > 0
        if self.is_away:
            if not was_away:
                self._away_since, self._probed = now, 0
                self._probe_at = now + self._probe_s()
            self._hosts.note_absence(self._name, self.away_s)

    def answered(self, asked_at: float, status: int, retry_after_s: float | None) -> None:
        """The host answered a request; asked_at is what its take_turn returned."""
        if status in UNAVAILABLE:
            self.gave_no_answer(Throttled(f"HTTP {status}"))
        else:
            if self.is_away:
                self._hosts.note_absence(self._name, self.away_s)
            self._in_vain = 0
        self._refusals.append(status in PUSH_BACK)
        if status in PUSH_BACK:
            self._slow_down(asked_at, retry_after_s or 0.0)
        else:
            self._push_backs = 0

    def wait_anew(self) -> None:
        """From now on it may be away for as long again."""
        self._away_since = self._hosts.clock()

    def _begin(self, now: float) -> None:
        if self.is_away:
            self._probes += 1
            self._probed += 1
            self._probe_at = now + self._probe_s()
        self._last_at = now
        self._recent.append(now)

    def _probe_s(self) -> float:
        """Seconds until the next probe: they double, half of them fixed and half by chance."""
        return min(_PROBE_S, 2.0 ** min(self._probed, 10)) * (1 + self._hosts.jitter()) / 2

    def _slow_down(self, asked_at: float, pause_s: float) -> None:
        """Nobody asks the host for a while, and from then on at half the rate.

        Of the requests that were under way together only the first counts, else sixteen of them would bring the rate
        down to nothing at once.
        """
        now = self._hosts.clock()
        if asked_at > self._slowed_at:
            self._push_backs += 1
            backoff_s = self._hosts.policy.backoff_s(self._push_backs, self._hosts.jitter())
            pause_s = max(pause_s, min(backoff_s, LONGEST_PAUSE_S))
            rate = self.rate
            if not rate:
                rate = self._full_rate = self._recent_rate(now)
            self._low_rate = max(rate / 2, self._full_rate * SLOWEST)
            self._slowed_at = now
        self._paused_until = max(self._paused_until, now + pause_s)

    def _wait_s(self) -> float:
        now = self._hosts.clock()
        paused_s = self._paused_until - now
        if paused_s > self._hosts.policy.longest_s:
            raise Throttled(f"the host asked to be left alone for another {paused_s:.0f} s", retry_after_s=paused_s)
        wait_s = max(paused_s, self._spacing_s(now))
        if not self.is_away:
            return wait_s
        if self.is_given_up and now < self._probe_at:
            if not self._probes:
                raise self._absence()
            return _SLICE_S  # the probe that is under way may bring an answer
        return max(wait_s, self._probe_at - now)

    def _spacing_s(self, now: float) -> float:
        """Seconds until the rate allows the next request; or less, where it is about to be another rate."""
        rate = self.rate
        if not rate:
            return 0.0
        spacing_s = self._last_at + 1 / (rate * self._hosts.rate_share) - now
        return spacing_s if rate == self._limit else min(spacing_s, _SLICE_S)

    def _absence(self) -> ImageError:
        problem = self._problem
        assert problem is not None
        return type(problem)(f"the host has given no answer for {self.away_s:.0f} s: {problem.detail}")

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
        self.wait_s = settings.wait_for_host_s
        self.in_flight = asyncio.Semaphore(settings.concurrency)
        self.clock = clock
        self.sleep = sleep
        self.jitter = jitter
        self._settings = settings
        self._hosts: dict[str, Host] = {}
        self._absences: dict[str, float] = {}
        self._is_last_pass = True

    def of(self, name: str) -> Host:
        """The host by its name in lower case, without port; IPv6 in brackets."""
        host = self._hosts.get(name)
        if host is None:
            limit = self._settings.hosts.get(name, self._settings.requests_per_s)
            host = self._hosts[name] = Host(name, limit, self)
        return host

    @property
    def set_aside(self) -> int:
        """Requests that wait for a host that is away or in a long pause; also to be asked from another thread."""
        return sum(host.set_aside for host in tuple(self._hosts.values()))

    def begin_pass(self, *, is_last: bool) -> None:
        """A pass over images begins, or goes on. The last one waits anew for each host that is away."""
        if is_last and not self._is_last_pass:
            for host in self._hosts.values():
                host.wait_anew()
        self._is_last_pass = is_last

    def note_absence(self, name: str, seconds: float) -> None:
        """A host has been away for so long; to be told by `absences`."""
        self._absences[name] = max(seconds, self._absences.get(name, 0.0))

    def absences(self) -> dict[str, float]:
        """Host -> the longest time in seconds that it was away, since this was last asked; from any thread."""
        noted, self._absences = self._absences, {}
        return noted
