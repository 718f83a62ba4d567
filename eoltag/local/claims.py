"""Claims: one file for each run that wants a directory for itself, so that of runs which start together one gets it.

Each run writes a claim under its own name and only then looks whether there are others. So of two runs one sees the
other, on every file system that lists what was written, object stores included: nothing has to be created atomically.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from threading import Event, Thread
from typing import Any, Final, Protocol

from eoltag.errors import OutputError
from eoltag.local.files import HALF_WRITTEN
from eoltag.local.processes import is_gone, own_token

STALE_S: Final = 300.0
"""Of a claim that cannot be read."""
BEATS: Final = 10
"""Signs of life in the time after which a claim is stale: some may fail."""
_LOOK_S: Final = 0.1
_MOST_LOOKS: Final = 300


class Store(Protocol):
    """What claims ask of a file system."""

    def names(self, path: str) -> list[str]: ...
    def exists(self, path: str) -> bool: ...
    def modified(self, path: str) -> float: ...
    def read_text(self, path: str) -> str: ...
    def write_text(self, path: str, text: str) -> None: ...
    def delete(self, path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Claim:
    """One run and where it runs."""

    run_id: str
    host: str
    pid: int
    process: str
    """A token of eoltag.local.processes: whoever runs on the same machine knows at once whether it is gone."""
    stale_s: float
    """Without a sign of life for so long, it counts as dead."""
    is_held: bool = False
    """It has the directory; else it wants it."""

    def __str__(self) -> str:
        return f"run {self.run_id} is at work here (host {self.host}, process {self.pid})"


def own_claim(run_id: str, stale_s: float) -> Claim:
    """The claim of this process."""
    return Claim(run_id, platform.node(), os.getpid(), own_token(), stale_s)


def take(store: Store, folder: str, mine: Claim, wait: Callable[[float], None] = time.sleep) -> Claim:
    """The claim, held. Raises OutputError, naming the holder, where another run has the directory or gets it.

    Of runs that want it at once the first by name goes on and the others give way; it waits until they have.
    """
    _write(store, folder, mine)
    try:
        for look in range(_MOST_LOOKS):
            rivals = living(store, folder, mine)
            if not rivals:
                break
            first = max(rivals, key=lambda one: (one.is_held, one.run_id < mine.run_id))
            if first.is_held or first.run_id < mine.run_id or look == _MOST_LOOKS - 1:
                raise OutputError(
                    f"{first}; wait for it, or end it: it counts as dead {first.stale_s:,.0f} s after its last sign "
                    "of life"
                )
            wait(_LOOK_S)
        held = replace(mine, is_held=True)
        _write(store, folder, held)
    except BaseException:
        store.delete(_path(folder, mine))
        raise
    return held


def living(store: Store, folder: str, mine: Claim) -> list[Claim]:
    """The claims of others that are not dead; those of dead ones are dropped, whole or half written."""
    now, names = store.modified(_path(folder, mine)), store.names(folder)
    found = []
    for name in names:
        path = f"{folder}/{name}"
        if name == f"{mine.run_id}.json" or not name.endswith((".json", HALF_WRITTEN)):
            continue
        try:
            if name.endswith(HALF_WRITTEN):
                if name.removesuffix(HALF_WRITTEN) not in names and now - store.modified(path) > STALE_S:
                    store.delete(path)
                continue
            claim, age_s = _read(store, path, name), now - store.modified(path)
        except OSError:  # given back meanwhile
            continue
        if _is_dead(claim, age_s):
            store.delete(path)
            store.delete(f"{path}{HALF_WRITTEN}")
        else:
            found.append(claim)
    return found


def _is_dead(claim: Claim, age_s: float) -> bool:
    gone = is_gone(claim.process)
    if claim.process == own_token():  # a job of before in this very process
        return True
    return age_s > claim.stale_s if gone is None else gone


def _read(store: Store, path: str, name: str) -> Claim:
    """What a claim says; one that says nothing sensible is somebody's all the same, until it is stale."""
    unknown = Claim(name.removesuffix(".json"), "unknown", 0, "", STALE_S, is_held=True)
    try:
        content: Any = json.loads(store.read_text(path))
        claim = Claim(**content)
    except (ValueError, TypeError, RecursionError, IsADirectoryError):
        return unknown
    is_sound = all(isinstance(getattr(claim, key), type(value)) for key, value in asdict(unknown).items())
    return replace(claim, run_id=unknown.run_id) if is_sound and claim.stale_s > 0 else unknown


def _write(store: Store, folder: str, claim: Claim) -> None:
    store.write_text(_path(folder, claim), json.dumps(asdict(claim)) + "\n")


def _path(folder: str, claim: Claim) -> str:
    return f"{folder}/{claim.run_id}.json"


class Heartbeat:
    """Signs of life of a held claim, until it is stopped; notices when the claim is gone."""

    def __init__(self, store: Store, folder: str, held: Claim, on_lost: Callable[[OutputError], None]) -> None:
        self._store, self._folder, self._held, self._on_lost = store, folder, held, on_lost
        self._stop, self._last = Event(), time.time()
        self._thread = Thread(target=self._run, name="eoltag-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when no sign of life is under way any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self) -> None:
        """Raises OutputError where the claim is gone, or another run has taken over from one that was suspended."""
        late = time.time() - self._last > self._held.stale_s
        is_gone = not self._store.exists(_path(self._folder, self._held))
        if is_gone or (late and any(one.is_held for one in living(self._store, self._folder, self._held))):
            raise OutputError(
                "the lock of this run is gone: the directory was deleted, or another run has taken over while this one "
                "gave no sign of life; run the same command again"
            )

    def beat(self) -> None:
        """One sign of life. Raises OutputError as `check` does."""
        self.check()
        _write(self._store, self._folder, self._held)
        self._last = time.time()

    def _run(self) -> None:
        while not self._stop.wait(self._held.stale_s / BEATS):
            try:
                self.beat()
            except OutputError as problem:
                self._on_lost(problem)
                return
            except OSError:  # a full disk, a store that is away: the next one may succeed
                continue
