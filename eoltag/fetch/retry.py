"""When to ask a server again, and how long to wait before."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Self

from eoltag.settings import FetchSettings

LONGEST_RETRY_AFTER_S: Final = 365 * 86_400.0
"""A server that asks for more is mistaken; also keeps the arithmetic finite."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to ask again. Plain numbers only, so Spark can pickle it."""

    attempts: int
    """First try included."""
    base_s: float
    cap_s: float
    """No wait of our own is longer."""
    wait_for_host_s: float = 0.0

    @classmethod
    def of(cls, settings: FetchSettings) -> Self:
        """The policy that the settings describe."""
        return cls(settings.attempts, settings.backoff_base_s, settings.backoff_cap_s, settings.wait_for_host_s)

    @property
    def longest_s(self) -> float:
        """No wait that a server asks for is longer, else it is left to the next run."""
        return max(self.cap_s, self.wait_for_host_s)

    def backoff_s(self, failures: int, jitter: float) -> float:
        """Seconds to wait after 1, 2, ... failures in a row: doubling, half of it fixed and half by chance.

        The fixed half keeps a minimum between two tries; the other spreads images that failed together.
        jitter: in [0, 1), drawn by the caller so that tests can fix it.
        """
        longest_s = min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 60))
        return longest_s * (1 + jitter) / 2

    def wait_s(self, attempt: int, jitter: float, retry_after_s: float | None) -> float | None:
        """Seconds to wait after failed attempt 1, 2, ...; None means give up."""
        return None if attempt >= self.attempts else self.pause_s(attempt, jitter, retry_after_s)

    def pause_s(self, failures: int, jitter: float, retry_after_s: float | None) -> float | None:
        """The same for an image that is asked for however often it failed.

        retry_after_s: the server's wish, obeyed when longer than ours; beyond longest_s it is left to the next run.
        """
        wait_s = max(self.backoff_s(failures, jitter), retry_after_s or 0.0)
        return wait_s if wait_s <= self.longest_s else None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, 10.2.3: a number or an HTTP date); None where it says neither.

    now: seconds since 1970.
    """
    if value is None:
        return None
    value = value.strip()
    try:
        wait_s = float(value) if value.isdecimal() and value.isascii() else _seconds_until(value, now)
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), LONGEST_RETRY_AFTER_S)


def _seconds_until(http_date: str, now: float) -> float:
    date = parsedate_to_datetime(http_date)
    if date.tzinfo is None:  # "-0000", which means UTC without saying where the server is
        date = date.replace(tzinfo=UTC)
    return date.timestamp() - now
