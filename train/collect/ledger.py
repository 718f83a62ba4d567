"""What was taken of a provider's quotas, kept over runs: a day's allowance is one for all commands of that day."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.cli import log
from train.collect.providers.policy import HOUR_S, Quota, Unit

LONGEST_WAIT_S: Final = HOUR_S
"""A command waits so long for room in a quota; for more it ends, and says when to start it again."""
QUIET_WAIT_S: Final = 60.0
DAYS_KEPT: Final = 2
"""Files of today and yesterday hold every window of a day's length."""


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where programs of this user keep what they must not forget (XDG Base Directory Specification)."""
    own = environment.get("XDG_STATE_HOME")
    return (Path(own) if own else Path.home() / ".local" / "state") / "eoltag" / "collect"


class Ledger:
    """One provider's quotas, and what this user took of them. A file a day, to which every command appends."""

    def __init__(
        self,
        name: str,
        quotas: tuple[Quota, ...],
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._quotas = quotas
        self._folder = folder
        self._clock = clock
        self._sleep = sleep
        if quotas:
            self._forget()

    def take(self, unit: Unit, amount: int) -> None:
        """Waits until the quotas have room for it, and notes it as taken. Raises DataError."""
        self.wait(unit, amount)
        self.note(unit, amount)

    def wait(self, unit: Unit, amount: int) -> None:
        """Waits until the quotas have room; raises DataError where that takes longer than anybody waits."""
        for quota in self._quotas:
            if quota.unit == unit and (wait_s := self._wait_s(quota, amount)) > 0:
                self._wait(quota, wait_s)

    def note(self, unit: Unit, amount: int) -> None:
        """Notes what was taken. Raises DataError where it cannot be written."""
        if not any(quota.unit == unit for quota in self._quotas):
            return
        now = self._clock()
        file = self._file(now)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="ascii") as lines:
                lines.write(f"{now:.3f} {unit} {amount}\n")
        except OSError as problem:
            raise DataError(
                f"{file}: cannot be written ({problem.strerror or problem}); set XDG_STATE_HOME to a folder that can"
            ) from problem

    def _wait(self, quota: Quota, wait_s: float) -> None:
        at = datetime.fromtimestamp(self._clock() + wait_s, UTC)
        if wait_s > LONGEST_WAIT_S:
            raise DataError(f"{self._name}: its {quota} are used up; there is room again at {at:%Y-%m-%d %H:%M} UTC")
        if wait_s > QUIET_WAIT_S:
            log(f"{self._name}: its {quota} are used up; going on at {at:%H:%M} UTC")
        self._sleep(wait_s)

    def _wait_s(self, quota: Quota, amount: int) -> float:
        """Seconds until so much of what was taken is older than the quota's window that the amount fits."""
        now = self._clock()
        taken = [(at, many) for at, unit, many in self._lines(now) if unit == quota.unit and at > now - quota.window_s]
        over = sum(many for _, many in taken) + min(amount, quota.amount) - quota.amount
        wait_s = 0.0
        for at, many in taken:
            if over <= 0:
                break
            over -= many
            wait_s = at + quota.window_s - now
        return wait_s

    def _lines(self, now: float) -> Iterator[tuple[float, str, int]]:
        """What was taken, oldest first; a line that a kill cut short is passed over."""
        for days in reversed(range(DAYS_KEPT)):
            try:
                text = self._file(now, days).read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
            for line in text.splitlines():
                match line.split():
                    case [at, unit, many] if many.isdecimal():
                        yield min(float(at), now), unit, int(many)

    def _file(self, now: float, days: int = 0) -> Path:
        day = datetime.fromtimestamp(now, UTC) - timedelta(days=days)
        return self._folder / f"{self._name}-{day:%Y%m%d}.txt"

    def _forget(self) -> None:
        """Deletes the files of days before yesterday."""
        now = self._clock()
        kept = {self._file(now, days) for days in range(DAYS_KEPT)}
        for file in self._folder.glob(f"{self._name}-????????.txt"):
            if file not in kept and file < min(kept):
                file.unlink(missing_ok=True)
