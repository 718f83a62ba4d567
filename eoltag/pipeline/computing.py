"""Measures and networks at work on pictures: in line, or in a child process that a picture may end.

As a program this is the child.
"""

import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eoltag.image.careful import Child, Lost
from eoltag.image.features import FEATURES
from eoltag.pipeline.models import Carried, Held, Models, Network
from eoltag.records import Pixels, Scores

CHILD = "eoltag.pipeline.computing"
"""The module that a child runs."""
COMPUTE_S: Final = 600.0
"""For a child to load a model and score a batch."""
_SCORING: Final = "scoring it"
_MOST_LETTERS: Final = 300
"""Of what a runtime says of a failure."""


class Failed(Exception):
    """Pictures could not be measured or scored; the text says why."""


class Computed(NamedTuple):
    """What a network gave for a batch."""

    scores: dict[str, tuple[str, Scores]]
    """Model version -> the engine's name, and raw numbers (N, C) float32."""
    features: NDArray[np.float32] | None
    """(N, D), of a network that is a base with heads."""


class Computer(Protocol):
    """Whoever measures and scores."""

    def measure(self, name: str, picture: Pixels) -> float:
        """A feature of a picture (H, W, 3). Raises Failed."""
        ...

    def begin(self, network: Network, pixels: Pixels) -> Callable[[], Computed]:
        """Hand a batch (N, H, W, 3) over; the result can be fetched later. Both raise Failed."""
        ...


@dataclass(frozen=True, slots=True)
class InLine:
    """In this process."""

    models: Models

    def measure(self, name: str, picture: Pixels) -> float:
        """A feature of a picture (H, W, 3). Raises Failed."""
        with _told(f"measuring {name}"):
            return FEATURES[name].measure(picture)

    def begin(self, network: Network, pixels: Pixels) -> Callable[[], Computed]:
        """Hand a batch (N, H, W, 3) over: a GPU goes on computing when this returns. Both raise Failed."""
        if network.base_version is None:
            return self._whole(network, pixels)
        base, size = self.models.base(network), self.models.batch_size(network)
        heads = {version: self.models.head(version, size) for version in network.versions}
        with _told(_SCORING):
            features = base.features(pixels)

        def finish() -> Computed:
            with _told(_SCORING):
                return Computed({key: (head.name, head.logits(features)) for key, head in heads.items()}, features)

        return finish

    def _whole(self, network: Network, pixels: Pixels) -> Callable[[], Computed]:
        engine = self.models.whole(network.key)
        with _told(_SCORING):
            logits = engine.begin(pixels)

        def finish() -> Computed:
            with _told(_SCORING):
                return Computed({network.key: (engine.name, logits())}, None)

        return finish


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Raises Failed for whatever is raised inside: runtimes raise nearly anything, and this is their one boundary."""
    try:
        yield
    except MemoryError as problem:
        raise Failed(f"{doing} failed: it takes more memory than this process may have") from problem
    except Exception as problem:
        line = " ".join(str(problem).split()) or type(problem).__name__
        raise Failed(f"{doing} failed: {line[:_MOST_LETTERS]}") from problem


@contextmanager
def apart(models: Models, timeout_s: float) -> Iterator[Computer]:
    """In a child process: gives the same numbers, and Failed where the child dies. timeout_s: for one measure."""
    computer = _Apart(models, timeout_s)
    try:
        yield computer
    finally:
        computer.end()


class _Apart:
    """A child, started when it is first needed and again when it was lost."""

    def __init__(self, models: Models, timeout_s: float) -> None:
        self._models, self._timeout_s = models, timeout_s
        self._child: Child | None = None

    def measure(self, name: str, picture: Pixels) -> float:
        found: float = self._ask(("measure", name, picture), self._timeout_s, f"measuring {name}")
        return found

    def begin(self, network: Network, pixels: Pixels) -> Callable[[], Computed]:
        found: Computed = self._ask(("score", network, pixels), COMPUTE_S, _SCORING)
        return lambda: found

    def end(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _ask(self, request: tuple[Any, ...], timeout_s: float, doing: str) -> Any:
        try:
            if self._child is None:
                self._child = Child(CHILD)
                self._child.ask(_portable(self._models), COMPUTE_S, doing)
            answer = self._child.ask(request, timeout_s, doing)
        except Lost as lost:
            self.end()
            raise Failed(str(lost)) from lost
        if isinstance(answer, Failed):
            raise answer
        return answer


def _portable(models: Models) -> Models:
    held: dict[int, Held] = {}

    def copied(one: Held | None) -> Held | None:
        return None if one is None else held.setdefault(id(one), Carried(one.value))

    sources = {
        version: replace(source, whole=copied(source.whole), base=copied(source.base), head=copied(source.head))
        for version, source in models.sources.items()
    }
    return replace(models, sources=sources)


def work(pipe: Connection) -> None:
    """Take the models, then do what is asked for until the pipe is closed."""
    pipe.send_bytes(b"ready")
    with suppress(EOFError):
        computer = InLine(pickle.loads(pipe.recv_bytes()))
        pipe.send_bytes(pickle.dumps(None))
        while True:
            kind, *arguments = pickle.loads(pipe.recv_bytes())
            answer: float | Computed | Failed
            try:
                answer = computer.measure(*arguments) if kind == "measure" else computer.begin(*arguments)()
            except Failed as failed:
                answer = Failed(str(failed))
            pipe.send_bytes(pickle.dumps(answer))


if __name__ == "__main__":
    from eoltag.pipeline import computing  # what is pickled names the module, and not __main__

    computing.work(Connection(int(sys.argv[1])))
