"""The HTTP client: a request becomes the bytes of an image, or the outcome that says why there are none."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Mapping
from typing import Final, TypeVar
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from eoltag.errors import (
    BadRedirect,
    BadUrl,
    Forbidden,
    Gone,
    ImageError,
    OptedOut,
    TimedOut,
    TooLarge,
    Truncated,
)
from eoltag.fetch.addresses import is_in, is_public
from eoltag.fetch.answers import explain_exception, explain_status, find_opt_out, may_pass, printable
from eoltag.fetch.connection import Guard, open_session, refuse_address
from eoltag.fetch.hosts import Clock, Host, Hosts, Jitter, Sleep
from eoltag.fetch.renditions import rendition_of
from eoltag.fetch.retry import RetryPolicy, parse_retry_after
from eoltag.fetch.sinks import InMemory, Sink
from eoltag.fetch.urls import check_url
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings

__all__ = ["Fetcher"]

T = TypeVar("T")

NOT_MODIFIED: Final = 304
PRECONDITION_FAILED: Final = 412
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_CONTENT_RANGE: Final = re.compile(r"bytes 0-([0-9]{1,15})/([0-9]{1,15})")
_ESCAPED_BYTE: Final = re.compile(r"[\udc80-\udcff]")
"""How the HTTP client writes a byte of a header that is no UTF-8; here in latin1, which nobody need know."""

_DETAIL_LENGTH: Final = 300

_DRAINED: Final = 65_536
"""Bytes of an error page that are read to keep its connection; a new TLS handshake costs more."""

_DRAIN_S: Final = 1.0


class _Attempt:
    """One image on its way: the current attempt."""

    deadline: asyncio.Timeout

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.number = 0
        self.counted = 0
        """Failures that used up an attempt."""
        self.first_failed_at: float | None = None
        self.host: Host | None = None
        """The host that was asked last."""
        self.status: int | None = None
        self.etag: str | None = None
        self.last_modified: str | None = None

    async def off_the_clock(self, waiting: Awaitable[T]) -> T:
        """The result of `waiting`; the time that it takes does not count against the deadline."""
        now = asyncio.get_running_loop().time
        when = self.deadline.when()
        assert when is not None
        left_s = when - now()
        self.deadline.reschedule(None)
        result = await waiting
        self.deadline.reschedule(now() + left_s)
        return result

    def succeeded(self, rendition: str | None) -> Fetched:
        """The end of it, with the bytes, or without where those that the caller has are still the same."""
        is_not_modified = self.status == NOT_MODIFIED
        return Fetched(
            None if is_not_modified else self.sink.content(), Outcome.OK, None, self.status, self.number,
            self.etag, self.last_modified, is_not_modified, rendition,
        )  # fmt: skip

    def failed(self, error: ImageError) -> Fetched:
        """The end of it."""
        detail = printable(error.detail)[:_DETAIL_LENGTH]
        return Fetched(None, error.outcome, detail, self.status, self.number)


class Fetcher:
    """Fetches images over pooled connections. For one event loop; close it when done.

    rate_share: this worker's part of every host's rate, in (0, 1]. stall_s: longest silence within an answer, where
    the deadline alone would be too patient. guard: which addresses may be connected to, unless the settings
    allow all.
    """

    def __init__(
        self,
        settings: FetchSettings,
        rate_share: float = 1.0,
        *,
        stall_s: float | None = None,
        guard: Guard = is_public,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
        jitter: Jitter = random.random,
    ) -> None:
        self._settings = settings
        self._policy = RetryPolicy.of(settings)
        self._guard = _guard_of(settings, guard)
        self._stall_s = stall_s
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._jitter = jitter
        self._session: aiohttp.ClientSession | None = None
        self.hosts = Hosts(settings, rate_share, clock=clock, sleep=sleep, jitter=jitter)

    async def fetch(self, request: FetchRequest, sink: Sink | None = None) -> Fetched:
        """The image's bytes or why there are none, after as many attempts as make sense. Raises for bugs only."""
        attempt = _Attempt(InMemory() if sink is None else sink)
        try:
            target = check_url(request.url)
        except ImageError as error:
            return attempt.failed(error)
        smaller = rendition_of(target, self._settings.renditions)
        is_conditional = True
        while True:
            attempt.number += 1
            attempt.status = None
            # A version is one of the file that it was told of: the image, or a smaller copy.
            conditions = conditions_of(request) if is_conditional and smaller == request.rendition else {}
            try:
                await self._follow(smaller or target, conditions, attempt)
                return attempt.succeeded(smaller)
            except ImageError as error:
                if smaller and isinstance(error, (Gone, Forbidden)):  # object stores answer 403 for what is not there
                    smaller = None
                    continue
                if conditions and attempt.status == PRECONDITION_FAILED:  # a server that takes no conditions
                    is_conditional = False
                    continue
                wait_s = self._wait_s(attempt, error)
                if wait_s is None:
                    return attempt.failed(error)
            await self._sleep(wait_s)

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def _wait_s(self, attempt: _Attempt, error: ImageError) -> float | None:
        """Seconds until the next attempt; None means give up.

        What fails because its host is away, or refuses whatever it is asked for, uses up no attempt.
        """
        host, now = attempt.host, self.hosts.clock()
        if attempt.first_failed_at is None:
            attempt.first_failed_at = now
        if not error.is_retryable or (host is not None and host.is_given_up):
            return None
        is_in_trouble = host is not None and (host.is_away or (error.is_refusal and host.is_in_storm))
        if is_in_trouble and now - attempt.first_failed_at < self.hosts.wait_s:
            return self._policy.pause_s(attempt.counted + 1, self._jitter(), error.retry_after_s)
        attempt.counted += 1
        return self._policy.wait_s(attempt.counted, self._jitter(), error.retry_after_s)

    async def _follow(self, target: str, conditions: Mapping[str, str], attempt: "_Attempt") -> None:
        """One attempt: the request and its redirects, under one deadline. Raises ImageError."""
        seen = {target}
        try:
            async with asyncio.timeout(self._settings.deadline_s) as attempt.deadline:
                for _ in range(self._settings.max_redirects + 1):
                    location = await self._ask(URL(target, encoded=True), conditions, attempt)
                    if location is None:
                        return
                    target = _resolve_location(target, location)
                    if target in seen:
                        raise BadRedirect(f"redirected in a circle, back to {target}")
                    seen.add(target)
                    # Another file may be older than the one that was seen, so that only its ETag can tell.
                    conditions = {name: value for name, value in conditions.items() if name == "If-None-Match"}
                raise BadRedirect(f"more than {self._settings.max_redirects} redirects, the last to {target}")
        except TimeoutError as problem:
            raise self._late() from problem

    async def _ask(self, url: URL, conditions: Mapping[str, str], attempt: "_Attempt") -> str | None:
        """One request in its host's turn: the Location of a redirect, else None: the image is in the sink.

        Where the request had conditions, the answer may be that nothing was modified, and the sink stays empty.
        """
        refuse_address(url, self._guard)
        host = attempt.host = self._host(url)
        asked_at = await attempt.off_the_clock(host.take_turn())
        is_answered = False
        try:
            async with self._connected().get(url, headers=conditions, allow_redirects=False) as response:
                is_answered = True
                attempt.status = response.status
                retry_after_s = parse_retry_after(response.headers.get("Retry-After"), self._wall_clock())
                host.answered(asked_at, response.status, retry_after_s)
                if is_whole(response) or (response.status == NOT_MODIFIED and conditions):
                    await self._receive(response, attempt)
                    return None
                await _drain(response)
                if response.status in REDIRECTS:
                    return response.headers.get("Location", "")
                raise explain_status(response.status, response.reason, retry_after_s)
        except (aiohttp.ClientError, OSError) as problem:
            error = explain_exception(problem)
            if not is_answered:
                host.gave_no_answer(error, may_pass=may_pass(problem, error))
            raise error from problem
        except asyncio.CancelledError:
            if not is_answered and attempt.deadline.expired():
                host.gave_no_answer(self._late())
            raise
        finally:
            host.end_turn()

    async def _receive(self, response: aiohttp.ClientResponse, attempt: "_Attempt") -> None:
        """The body of an answer into the sink, unless its headers already say no, or that it has none."""
        directive = find_opt_out(response.headers.getall("X-Robots-Tag", ()), self._settings.opt_out_directives)
        if directive is not None:
            raise OptedOut(f"X-Robots-Tag: {directive}")
        attempt.etag, attempt.last_modified = _version(response, "ETag"), _version(response, "Last-Modified")
        if response.status == NOT_MODIFIED:
            return
        max_bytes = self._settings.max_bytes
        if (response.content_length or 0) > max_bytes:
            raise TooLarge(f"{response.content_length} bytes announced, over {max_bytes}")
        received = 0
        try:
            while chunk := await response.content.readany():
                received += len(chunk)
                if received > max_bytes:
                    raise TooLarge(f"more than {max_bytes} bytes")
                pause = attempt.sink.write(chunk)
                if pause is not None:
                    await attempt.off_the_clock(pause)
            if not received:
                raise Truncated("empty body")
        except BaseException:
            attempt.sink.clear()
            raise

    def _late(self) -> TimedOut:
        return TimedOut(f"not complete within {self._settings.deadline_s:g} s")

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(self._settings, self._guard, self._stall_s)
        return self._session

    def _host(self, url: URL) -> Host:
        name = (url.raw_host or "").rstrip(".")
        return self.hosts.of(f"[{name}]" if ":" in name else name)


def _version(response: aiohttp.ClientResponse, name: str) -> str | None:
    """What a header says of the file's version; None where it could not be kept, or sent back, as it is."""
    value = response.headers.get(name)
    return value if value is not None and value.isprintable() else None


def is_whole(response: aiohttp.ClientResponse) -> bool:
    """Whether the answer holds the whole file; 203 comes through a proxy, 206 may be of one part that is everything."""
    if response.status == 206:
        part = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "bytes 0-0/1").strip())
        return part is not None and int(part[1]) + 1 == int(part[2])
    return response.status in (200, 203)


def conditions_of(request: FetchRequest) -> dict[str, str]:
    """The headers by which a server answers 304 in place of a version that the caller has (RFC 9110, section 13)."""
    conditions = {"If-None-Match": request.etag, "If-Modified-Since": request.last_modified}
    return {name: value for name, value in conditions.items() if value is not None}


def _guard_of(settings: FetchSettings, guard: Guard) -> Guard:
    if settings.allow_private_hosts:
        return lambda _address: True
    if settings.private_networks:
        return lambda address: guard(address) or is_in(address, settings.private_networks)
    return guard


def _resolve_location(base: str, location: str) -> str:
    if not location:
        raise BadRedirect("redirected without a Location")
    try:
        return check_url(urljoin(base, _ESCAPED_BYTE.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", location)))
    except (BadUrl, ValueError) as problem:
        raise BadRedirect(f"redirected to what cannot be requested: {problem}") from problem


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Reads a short error page to its end, so that its connection can serve the next image."""
    if response.content_length is None or response.content_length > _DRAINED:
        return
    left = _DRAINED
    try:
        async with asyncio.timeout(_DRAIN_S):
            while left > 0 and (chunk := await response.content.readany()):
                left -= len(chunk)
    except (aiohttp.ClientError, OSError):
        return  # the status says all there is to say
