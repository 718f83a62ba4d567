"""Dynamic batching: images of many requests go through the model together, waiting only for images in decoding."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import numpy as np

from eoltag.model.card import EngineName
from eoltag.model.engines import Engine, load_engine
from eoltag.model.package import Package, unpack
from eoltag.records import Pixels, Scores
from train.cli import cores, start_keras

GROWTH: Final = 4
"""Engines of fixed batch sizes 1, 4, 16, ...: a lone image must not pay for a full batch."""
WORTH_PADDING: Final = 0.75
"""A larger engine is taken for fewer images when it is filled at least so far: its empty places cost as much."""
MEMORY: Final = 0.2
"""Weight of the last batch in the running mean of seconds per image."""

Waiting = tuple[Pixels, "asyncio.Future[Scores]"]


class BatchSizes:
    """One model, loaded for several batch sizes. Call it from one thread at a time."""

    def __init__(self, package: Package, name: EngineName, batch_size: int) -> None:
        packed = unpack(package.pack(name))
        if name == "keras":
            start_keras()
        self.name = name
        self._engines: dict[int, Engine] = {
            size: load_engine(name, packed, batch_size=size, threads=cores(), keras_backend="tensorflow")
            for size in sizes_up_to(batch_size)
        }

    def predict(self, pixels: Sequence[Pixels]) -> Scores:
        """Logits (N, C) of N pictures (H, W, 3)."""
        found, start = [], 0
        for count, size in split_batch(len(pixels), tuple(self._engines)):
            found.append(self._engines[size].predict(np.stack(pixels[start : start + count])))
            start += count
        return np.concatenate(found)


def sizes_up_to(batch_size: int) -> tuple[int, ...]:
    """Batch sizes to load for: 1, 4, 16, ... and the largest."""
    sizes = [1]
    while sizes[-1] * GROWTH < batch_size:
        sizes.append(sizes[-1] * GROWTH)
    return tuple(dict.fromkeys((*sizes, batch_size)))


def split_batch(count: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(images, batch size of the engine) of each call for `count` images. sizes: ascending, from 1."""
    found = []
    while count:
        size = next(size for size in reversed(sizes) if size == 1 or count >= WORTH_PADDING * size)
        taken = min(count, size)
        found.append((taken, size))
        count -= taken
    return found


class Batcher:
    """Collects decoded images and scores them together, in the order in which they came."""

    def __init__(
        self,
        predict: Callable[[Sequence[Pixels]], Scores],
        *,
        batch_size: int,
        wait_s: float,
        on_batch: Callable[[int], None],
    ) -> None:
        self._predict = predict
        self._batch_size = batch_size
        self._wait_s = wait_s
        self._on_batch = on_batch
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, "model")
        self._task: asyncio.Task[None] | None = None
        self.decoding = 0
        """How many images are being decoded: worth waiting for."""
        self.seconds_per_image = 0.0
        """Running mean of the time in the model."""

    @property
    def is_running(self) -> bool:
        """Whether images are being scored."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Starts to score. Call it from the event loop that will call `score`."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Ends scoring. No image may be waiting any more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown()

    async def score(self, pixels: Pixels) -> Scores:
        """Logits (C,) of one picture (H, W, 3). Raises what the model raised on its batch."""
        future: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((pixels, future))
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = await self._collect()
            started = loop.time()
            try:
                logits = await loop.run_in_executor(self._thread, self._predict, [pixels for pixels, _ in batch])
            except Exception as problem:  # a bug or a failing device: those who wait are told, the next batch is tried
                for _, future in batch:
                    if not future.done():
                        future.set_exception(problem)
                continue
            self._note(len(batch), loop.time() - started)
            for row, (_, future) in zip(logits, batch, strict=True):
                if not future.done():  # the one who asked may have gone
                    future.set_result(row)

    async def _collect(self) -> list[Waiting]:
        """At least one image; then all that wait; then those that are being decoded, for as long as it was told to."""
        batch = [await self._queue.get()]
        while len(batch) < self._batch_size and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        if not self._wait_s:
            return batch
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                while len(batch) < self._batch_size and (self.decoding or not self._queue.empty()):
                    batch.append(await self._queue.get())
        return batch

    def _note(self, count: int, seconds: float) -> None:
        each = seconds / count
        known = self.seconds_per_image or each
        self.seconds_per_image = (1 - MEMORY) * known + MEMORY * each
        self._on_batch(count)
