"""Classifier of uploaded image files, for many requests at once."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import SimpleQueue

from eoltag.errors import ImageError
from eoltag.image.careful import Decode, apart
from eoltag.model.card import EngineName
from eoltag.model.outputs import Verdict
from eoltag.model.package import Package
from eoltag.records import Decoded, InputSpec, Outcome, Pixels
from train.cli import cores
from train.evaluate.shown import shown_labels
from train.serving.batching import Batcher, BatchSizes
from train.serving.metrics import Metrics
from train.serving.settings import ServeSettings
from train.serving.uploads import Upload


@dataclass(frozen=True, slots=True)
class Classified:
    """What the model says of one image."""

    verdict: Verdict
    shown: tuple[str, ...] | None
    """Labels that it shows; None where the model gives one of many."""


Result = Classified | ImageError


class Decoders:
    """Child processes that decode, one for each core: a picture that hangs or kills its process costs nobody else."""

    def __init__(self, timeout_s: float) -> None:
        self._children = ExitStack()
        self._idle: SimpleQueue[Decode] = SimpleQueue()
        self._threads = ThreadPoolExecutor(cores(), "decode")
        for _ in range(cores()):
            self._idle.put(self._children.enter_context(apart(timeout_s)))
            self._threads.submit(self._start)

    def _start(self) -> None:
        """Start the child that has been idle for longest, so that the first request need not."""
        with suppress(ImageError):
            self._decode(b"", InputSpec(1, 1, "stretch", "bilinear"), 1)

    async def decode(self, data: bytes, spec: InputSpec, max_pixels: int) -> Decoded:
        """Raises ImageError."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, data, spec, max_pixels)

    def _decode(self, data: bytes, spec: InputSpec, max_pixels: int) -> Decoded:
        child = self._idle.get()
        try:
            return child(data, [spec], max_pixels)
        finally:
            self._idle.put(child)

    def stop(self) -> None:
        """Ends the threads and the children."""
        self._threads.shutdown()
        self._children.close()


class Classifier:
    """A loaded package, its decoders and its batcher. For one event loop."""

    def __init__(self, package: Package, settings: ServeSettings, metrics: Metrics) -> None:
        name: EngineName = package.fastest_engine if settings.engine == "auto" else settings.engine
        self.card = package.card
        self.engine = name
        self._max_pixels = settings.max_pixels
        self._metrics = metrics
        self._model = BatchSizes(package, name, settings.batch_size)
        self._decoders = Decoders(settings.decode_s)
        self.batcher = Batcher(
            self._model.predict,
            batch_size=settings.batch_size,
            wait_s=settings.wait_ms / 1000,
            on_batch=metrics.batch,
        )

    async def classify(self, uploads: Sequence[Upload]) -> list[Result]:
        """A verdict or the reason why there is none, for each image in its place."""
        return list(await asyncio.gather(*map(self._one, uploads)))

    async def _one(self, upload: Upload) -> Result:
        try:
            pixels = await self._decoded(upload)
        except ImageError as problem:
            self._metrics.image(str(problem.outcome))
            return problem
        logits = await self.batcher.score(pixels)
        (verdict,) = self.card.verdicts(logits[None])
        self._metrics.image(str(Outcome.OK))
        return Classified(verdict, shown_labels(self.card, logits))

    async def _decoded(self, upload: Upload) -> Pixels:
        self.batcher.decoding += 1
        try:
            decoded = await self._decoders.decode(upload.data, self.card.spec, self._max_pixels)
        finally:
            self.batcher.decoding -= 1
        return decoded.pixels[0]

    async def stop(self) -> None:
        """Ends the threads and the children."""
        self._decoders.stop()
        await self.batcher.stop()
