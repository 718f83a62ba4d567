"""Decoding that cannot take its caller along: within a time limit, or in a process of its own that may die.

In line, a timer of the system ends this process when a picture takes too long, whatever code it is stuck in. Where a
process has ended so, or was killed, the same work is done again with a child that decodes: what ends the child is an
outcome of that picture.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol

from eoltag.errors import ImageError, Undecodable
from eoltag.image.decode import decode
from eoltag.records import Decoded, InputSpec

CHILD = "eoltag.image.careful"
"""The module that a child runs."""
START_S: Final = 60.0
"""For a child to import what it needs."""
GRACE_S: Final = 5.0
"""A child ends itself so much after its caller has given it up, should the caller be gone."""


class Decode(Protocol):
    """`eoltag.image.decode.decode`, or what stands for it."""

    def __call__(
        self,
        data: bytes,
        specs: Sequence[InputSpec],
        max_pixels: int,
        sides_px: Sequence[int | None] = (),
        copy_side_px: int = 0,
    ) -> Decoded:
        """The picture. Raises ImageError."""
        ...


def timed(timeout_s: float) -> Decode:
    """Decoding in line, at a microsecond an image: the system ends this process by SIGALRM at the end of its time."""

    def in_time(*arguments: Any, **named: Any) -> Decoded:
        signal.setitimer(signal.ITIMER_REAL, timeout_s)
        try:
            return decode(*arguments, **named)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    return in_time


@contextmanager
def apart(timeout_s: float) -> Iterator[Decode]:
    """Decoding in a child process: gives the same pixels, and Undecodable where the child dies or takes too long."""
    children: list[Child] = []

    def in_child(*arguments: Any, **named: Any) -> Decoded:
        if not children:
            children.append(Child(CHILD, str(timeout_s + GRACE_S)))
        try:
            answer = children[0].ask((arguments, named), timeout_s)
        except Lost as lost:
            children.pop().end()
            raise Undecodable(str(lost)) from lost
        if isinstance(answer, ImageError):
            raise answer
        assert isinstance(answer, Decoded)
        return answer

    try:
        yield in_child
    finally:
        for one in children:
            one.end()


class Lost(Exception):
    """The child gave no answer."""


class Child:
    """A running child process and the way to it."""

    def __init__(self, module: str, *arguments: str) -> None:
        """module: gets the number of its end of the pipe, then the arguments; sends something when it is ready."""
        mine, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno()), *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the caller; the child ends when the pipe is closed
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._pipe = Connection(mine.detach())
        try:
            if not self._pipe.poll(START_S):
                raise TimeoutError(f"no answer within {START_S:g} s")
            self._pipe.recv_bytes()
        except (OSError, EOFError):
            self.end()
            raise

    def ask(self, request: object, timeout_s: float, doing: str = "reading it") -> Any:
        """What the child answers. Raises Lost, which says what it was `doing`; the child is of no use then."""
        try:
            self._pipe.send_bytes(pickle.dumps(request))
            if not self._pipe.poll(timeout_s):
                raise Lost(f"{doing} took more than {timeout_s:g} s")
            return pickle.loads(self._pipe.recv_bytes())
        except (OSError, EOFError) as problem:
            raise Lost(f"the worker died while {doing} ({self._cause()})") from problem

    def end(self) -> None:
        """Whatever it is doing."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()

    def _cause(self) -> str:
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return "no answer"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def work(pipe: Connection, limit_s: float) -> None:
    """Decode what comes through the pipe until it is closed."""
    pipe.send_bytes(b"ready")
    with suppress(EOFError):
        while True:
            arguments, named = pickle.loads(pipe.recv_bytes())
            try:
                answer: Decoded | ImageError = timed(limit_s)(*arguments, **named)
            except ImageError as problem:
                answer = problem
            pipe.send_bytes(pickle.dumps(answer))


if __name__ == "__main__":
    work(Connection(int(sys.argv[1])), float(sys.argv[2]))
