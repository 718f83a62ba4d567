"""Where the bytes of a download go: memory, memory within a budget, or a file."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from eoltag.errors import BundleError


class Sink(Protocol):
    """Takes one body as it arrives."""

    def write(self, chunk: bytes) -> Awaitable[None] | None:
        """Takes the next bytes; what it returns is awaited, off the image's clock, before more are read."""

    def clear(self) -> None:
        """Forgets what came so far: the body broke off, and may be asked for again."""

    def content(self) -> bytes:
        """The whole body, once it has come to its end; empty where it went elsewhere."""


class InMemory:
    """Keeps the bytes."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> Awaitable[None] | None:
        """Never makes the reader wait."""
        self._chunks.append(chunk)
        return None

    def clear(self) -> None:
        """Frees the bytes."""
        self._chunks.clear()

    def content(self) -> bytes:
        """All chunks in one, which are then no longer kept."""
        whole = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        return whole


class InFile:
    """Writes to a file, so that the size does not matter. Raises BundleError where that fails; close it when done."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, chunk: bytes) -> Awaitable[None] | None:
        """Writes at once."""
        try:
            self._file.write(chunk)
        except OSError as problem:
            raise BundleError(f"{self._file.name}: cannot be written ({problem.strerror or problem})") from problem
        return None

    def clear(self) -> None:
        """Empties the file."""
        self._file.seek(0)
        self._file.truncate()

    def content(self) -> bytes:
        """Nothing: the bytes are in the file."""
        return b""

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class ByteBudget:
    """Bounds the bytes that were received and not yet handed over. For one event loop.

    Beyond max_bytes nobody reads on, except that, while nothing at all is ready to be handed over, the body that began
    first may. So there is always progress, and memory holds max_bytes, one whole image, and a chunk of each other one.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._ready = 0
        self._reading: dict[Rationed, int] = {}
        self._waiting: dict[Rationed, asyncio.Future[None]] = {}
        self.held = 0

    def read(self, sink: "Rationed", size: int) -> Awaitable[None] | None:
        """Books what a body grew by; returns what to await where it must not grow further for now."""
        self._reading[sink] = self._reading.get(sink, 0) + size
        self.held += size
        return None if self._may_read(sink) else self._room(sink)

    def drop(self, sink: "Rationed") -> None:
        """A body broke off; its bytes are gone."""
        self.held -= self._reading.pop(sink, 0)
        self._wake()

    def complete(self, sink: "Rationed") -> None:
        """A body is whole and waits to be handed over."""
        self._ready += self._reading.pop(sink, 0)
        self._wake()

    def hand_over(self, size: int) -> None:
        """Somebody else looks after that many of the ready bytes from now on."""
        self._ready -= size
        self.held -= size
        self._wake()

    async def _room(self, sink: "Rationed") -> None:
        while not self._may_read(sink):
            woken = self._waiting[sink] = asyncio.get_running_loop().create_future()
            try:
                await woken
            finally:
                del self._waiting[sink]

    def _may_read(self, sink: "Rationed") -> bool:
        if self.held < self._max_bytes:
            return True
        return not self._ready and sink is next(iter(self._reading), None)

    def _wake(self) -> None:
        for sink, woken in self._waiting.items():
            if not woken.done() and self._may_read(sink):
                woken.set_result(None)


class Rationed(InMemory):
    """Keeps the bytes, within a budget that it shares."""

    def __init__(self, budget: ByteBudget) -> None:
        super().__init__()
        self._budget = budget

    def write(self, chunk: bytes) -> Awaitable[None] | None:
        """Makes the reader wait where the budget is used up."""
        super().write(chunk)
        return self._budget.read(self, len(chunk))

    def clear(self) -> None:
        """Frees the bytes for others."""
        super().clear()
        self._budget.drop(self)

    def content(self) -> bytes:
        """The whole body, which stays booked until it is handed over."""
        self._budget.complete(self)
        return super().content()
