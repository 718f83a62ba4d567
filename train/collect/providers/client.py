"""JSON over HTTP for the APIs that images are searched with: paced, patient with busy servers, silent about secrets."""

import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests

from eoltag.errors import DataError
from eoltag.fetch.answers import printable
from eoltag.fetch.retry import RetryPolicy, parse_retry_after
from eoltag.settings import FetchSettings

Params = Mapping[str, str | int | list[str]]

MAX_BYTES: Final = 30_000_000
"""Of one answer; the largest page of any service here is some megabytes."""
MESSAGE_LENGTH: Final = 200
SHORTEST_SECRET: Final = 4


class ApiClient:
    """One service's API. Close it when done.

    base_url: takes the place of scheme and host of every request, for a mirror or a test. secrets: texts that no
    message may hold. take: called before each request, waits for room in the service's quota or raises DataError.
    """

    def __init__(
        self,
        name: str,
        settings: FetchSettings,
        requests_per_s: float,
        *,
        base_url: str | None = None,
        secrets: Collection[str] = (),
        take: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._settings = settings
        self._policy = RetryPolicy.of(settings)
        self._requests_per_s = requests_per_s
        self._base_url = base_url
        self._secrets = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        self._take = take
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._next_at = 0.0
        self._session = requests.Session()
        self._session.trust_env = False  # else requests would send what ~/.netrc holds for the host
        self._session.headers.update({"User-Agent": settings.user_agent, "Accept": "application/json"})

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()

    def call_itself(self, user_agent: str) -> None:
        """Every later request bears this name, where a service has a form of its own for it."""
        self._session.headers["User-Agent"] = user_agent

    def get(self, url: str, params: Params, *, bearer: str | None = None, missing_is_none: bool = False) -> Any:
        """The JSON document at a URL; None for a 404 where that is an answer. Raises DataError."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self._ask("GET", url, missing_is_none=missing_is_none, params=dict(params), headers=headers)

    def token(self, url: str, form: Mapping[str, str], *, basic: tuple[str, str] | None = None) -> str:
        """An OAuth access token, which from then on is a secret as well. Raises DataError."""
        token = dig_text(self._ask("POST", url, data=dict(form), auth=basic), "access_token")
        if token is None:
            raise DataError(f"{self.name}: {urlsplit(url).path} gave no access token; are the credentials right?")
        self._secrets.add(token)
        return token

    def _ask(self, method: str, url: str, *, missing_is_none: bool = False, **how: Any) -> Any:
        """Asks again while that makes sense; keyword arguments as requests takes them."""
        target = _moved(url, self._base_url)
        attempt = 0
        while True:
            attempt += 1
            self._take_turn(target)
            retry_after_s = None
            try:
                status, headers, body = self._exchange(method, target, how)
            except requests.RequestException as problem:
                # Its text, and so its traceback, may hold the whole URL, and that a key.
                reason, is_busy = (
                    type(problem).__name__,
                    isinstance(problem, requests.ConnectionError | requests.Timeout),
                )
            else:
                if status == 200:
                    return self._parse(body, target)
                if status == 404 and missing_is_none:
                    return None
                reason, is_busy = f"HTTP {status}{self._message(body)}", status == 429 or status >= 500
                retry_after_s = parse_retry_after(headers.get("Retry-After"), time.time())
            wait_s = self._policy.wait_s(attempt, self._jitter(), retry_after_s) if is_busy else None
            if wait_s is None:
                asked = f" after {attempt} attempts" if attempt > 1 else ""
                later = f"; it asks to wait {retry_after_s:.0f} s" if retry_after_s else ""
                raise DataError(
                    f"{self.name}: {urlsplit(target).path} cannot be read{asked} ({reason}{later})"
                ) from None
            self._sleep(wait_s)

    def _exchange(self, method: str, target: str, how: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        timeout = self._settings.connect_timeout_s, self._settings.deadline_s
        with self._session.request(
            method, target, timeout=timeout, allow_redirects=False, stream=True, **how
        ) as response:
            body = b""
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise DataError(f"{self.name}: {urlsplit(target).path} answered with more than {MAX_BYTES} bytes")
            return response.status_code, response.headers, body

    def _take_turn(self, target: str) -> None:
        """Waits until the next request may start, as the service's rules or this machine's own server allow."""
        self._take()
        host = (urlsplit(target).hostname or "").lower()
        requests_per_s = self._settings.hosts.get(host, self._requests_per_s)
        wait_s = self._next_at - self._clock()
        if wait_s > 0:
            self._sleep(wait_s)
        self._next_at = self._clock() + (1 / requests_per_s if requests_per_s else 0.0)

    def _parse(self, body: bytes, target: str) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as problem:
            raise DataError(
                f"{self.name}: {urlsplit(target).path} wanted JSON. Received: {self.redact(repr(body[:60]))}"
            ) from problem

    def _message(self, body: bytes) -> str:
        """What an error answer says in words, in one line."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        places = (
            ("error", "message"),
            ("error", "info"),
            ("message",),
            ("detail",),
            ("error_description",),
            ("error",),
        )
        text = next((text for place in places if (text := dig_text(document, *place))), "")
        text = printable(self.redact(text))[:MESSAGE_LENGTH]
        return f", {text}" if text else ""

    def redact(self, text: str) -> str:
        """The text without any secret."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def _moved(url: str, base_url: str | None) -> str:
    if base_url is None:
        return url
    base, path = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + path.path, path.query, ""))


def dig(document: Any, *path: str) -> Any:
    """What lies at a path of keys; None where a key is missing or holds something else than expected."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def dig_text(document: Any, *path: str) -> str | None:
    """The text at a path, stripped; None where there is none. A number counts as text."""
    value = dig(document, *path)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def dig_int(document: Any, *path: str) -> int | None:
    """The whole number at a path, where there is one."""
    value = dig(document, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def dig_list(document: Any, *path: str) -> list[Any]:
    """The list at a path; empty where there is none."""
    value = dig(document, *path)
    return value if isinstance(value, list) else []
