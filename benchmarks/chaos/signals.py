"""Signals at every moment of a small run: exit code, lines on stderr, orphans, leftovers, and that the run goes on.

Each run tags pictures of a slow server on this machine until a signal comes: Ctrl-C and SIGTERM in turns, and in some
runs a second one a moment later, which ends the job at once. A last run, without a signal, finds the rest.
"""

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.chaos.comparing import compare
from benchmarks.chaos.place import (
    PATIENCE_S,
    SHORT_IMAGES,
    Place,
    ended,
    lines_of,
    marked,
    settle,
    start,
    undisturbed,
)
from benchmarks.chaos.told import Told
from tests.support.loopback import Loopback

CODES: Final = {signal.SIGINT: 130, signal.SIGTERM: 143}
SLOW: Final = "slow/list.txt"
_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)
_SILENCE_S: Final = 0.2
"""Before each answer."""
_SECOND_S: Final = 0.3
"""Between the first signal and the second."""
_AT_ONCE_S: Final = 3.0
"""After a second signal."""
_UNTIL_S: Final = 15.0
_SAID: Final = re.compile(r"interrupted|Traceback|Error")
"""What begins the lines of a signal, be they right or wrong."""
_EARLIEST_LATE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What one command came to that a signal was sent to."""

    number: signal.Signals
    at_s: float
    took_s: float
    exit_code: int
    lines: list[str]
    orphans: list[str]
    leftovers: list[str]
    is_twice: bool = False

    @property
    def is_done(self) -> bool:
        """The command was done before the signal."""
        return self.exit_code == 0

    def faults(self) -> list[str]:
        """What should not be. After a second signal, what lies in the output is for the next run to clear away."""
        found = []
        if self.exit_code not in (0, CODES[self.number]):
            found.append(f"exit code {self.exit_code}")
        if len(self.lines) != (0 if self.is_done else 1):
            found.append(f"{len(self.lines)} lines: {' | '.join(self.lines[:4])}")
        if self.is_twice and self.took_s > _AT_ONCE_S:
            found.append(f"ended {self.took_s:.1f} s after the second signal")
        found += [f"orphan: {line}" for line in self.orphans]
        return found + ([] if self.is_twice else [f"left: {path}" for path in self.leftovers])


def prepare(place: Place, server: Loopback) -> None:
    """A list whose pictures take their time."""
    (place.folder / SLOW).parent.mkdir()
    urls = [server.url(f"/slow/{_SILENCE_S}/{number}.png") for number in range(SHORT_IMAGES)]
    (place.folder / SLOW).write_text("\n".join(urls) + "\n")


def interrupt(
    place: Place,
    command: list[str],
    number: signal.Signals,
    at_s: float,
    *,
    is_twice: bool = False,
    is_talking: bool = False,
    **more: str,
) -> Seen:
    """A command that gets a signal after so many seconds, unless it has ended before.

    is_talking: it writes lines of its own, which are left out up to that of the signal. more: environment.
    """
    log = place.folder / "log.txt"
    job = start(place, command, log, **more)
    try:
        job.wait(at_s)
    except subprocess.TimeoutExpired:
        job.send_signal(number)
        if is_twice:
            time.sleep(_SECOND_S)
            job.send_signal(number)
    sent = time.monotonic()
    try:
        job.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        job.kill()
        job.wait()
    took_s = time.monotonic() - sent
    code = job.returncode if job.returncode >= 0 else 128 - job.returncode
    if code == 0:  # the JVM of a run that came to its end ends a moment after it
        settle(place, Told("end"))
    else:
        _wait_a_moment(place)
    orphans = [line[:80] for line in marked(place).values()]
    left = list(place.temporary.iterdir())
    for output in place.folder.glob("out-slow*"):
        left += [*(output / "_staging").glob("*"), *output.rglob("*.tmp")]
    leftovers = [str(path.relative_to(place.folder)) for path in left]
    settle(place, Told("end"))
    lines = lines_of(log)
    if is_talking:
        own = next((count for count, line in enumerate(lines) if _SAID.search(line)), len(lines))
        lines = lines[own:]
    return Seen(number, at_s, took_s, code, lines, orphans, leftovers, is_twice)


def _wait_a_moment(place: Place) -> None:
    """Processes that have been ended are gone half a second later."""
    until = time.monotonic() + 0.5
    while marked(place) and time.monotonic() < until:
        time.sleep(0.05)


def told(place: Place, server: Loopback, step_s: float, later: int, seed: int) -> Iterator[Told]:
    """Signals every `step_s` over the first 15 s and at `later` moments of the whole run; then second signals."""
    prepare(place, server)
    began = time.monotonic()
    undisturbed(place, "slow", place.tag("slow", "one", urls=SLOW))
    whole_s = time.monotonic() - began
    moments = [step_s * number for number in range(1, int(_UNTIL_S / step_s) + 1)]
    draw_from = random.Random(seed)
    moments += sorted(draw_from.uniform(_EARLIEST_LATE_S, whole_s + 1) for _ in range(later))
    yield _struck(place, Told("signals"), moments, is_twice=False)
    seconds = [draw_from.uniform(0.5, whole_s) for _ in range(max(4, later // 2))]
    yield _struck(place, Told("2nd signal"), seconds, is_twice=True)


def _struck(place: Place, result: Told, moments: list[float], *, is_twice: bool) -> Told:
    """Every fourth run, and one after all was done, begins with nothing; the others go on where the last one ended."""
    output = "slow-struck"
    command = place.tag(output, "one", urls=SLOW)
    for count, at_s in enumerate(moments):
        if count % 4 == 0 or (place.output(output) / "report").exists():
            shutil.rmtree(place.output(output), ignore_errors=True)
        seen = interrupt(place, command, _NUMBERS[count % 2], at_s, is_twice=is_twice)
        note(seen, result)
    ended(place, command, result)
    compare(place, "slow", output, result)
    shutil.rmtree(place.output(output))
    return result


def note(seen: Seen, result: Told) -> None:
    """Add what one command came to."""
    result.starts, result.blows = result.starts + 1, result.blows + (not seen.is_done)
    for fault in seen.faults():
        result.wrongly(f"{seen.number.name} at {seen.at_s:.1f} s: {fault}")
