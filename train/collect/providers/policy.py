"""Published rules for the use of a provider: how fast, how many at once, and how much in an hour or a day."""

from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["requests", "bytes"]

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Quota:
    """So much in any stretch of time of this length: requests to the API, or bytes of images."""

    amount: int
    unit: Unit
    window_s: int

    def __str__(self) -> str:
        amount = f"{self.amount:,} requests" if self.unit == "requests" else f"{self.amount / 1e6:,.0f} MB"
        return (
            f"{amount} in {self.window_s // HOUR_S} h" if self.window_s >= HOUR_S else f"{amount} in {self.window_s} s"
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """What a provider asks of everybody, or of those who show credentials."""

    requests_per_s: float
    """To its API."""
    images_in_flight: int | None = None
    """Images that may be fetched at the same time; None where it says nothing."""
    quotas: tuple[Quota, ...] = ()
