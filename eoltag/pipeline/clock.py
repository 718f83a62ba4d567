"""Where the time of a Spark task goes: waiting for images, decoding, inference."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Stage(StrEnum):
    """What a task is busy with."""

    WAIT = "wait"
    """For the next image to arrive."""
    DECODE = "decode"
    INFER = "infer"


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent in each stage of one task, by time.monotonic."""

    seconds: dict[Stage, float] = field(default_factory=lambda: dict.fromkeys(Stage, 0.0))

    @contextmanager
    def of(self, stage: Stage) -> Iterator[None]:
        """Inside, time counts for this stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] += time.monotonic() - started

    def waiting(self, items: Iterator[T]) -> Iterator[T]:
        """The items, with the time that each takes to come counted as waiting."""
        while True:
            with self.of(Stage.WAIT):
                item = next(items, None)
            if item is None:
                return
            yield item
