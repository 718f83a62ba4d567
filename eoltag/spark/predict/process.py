"""The Python process of a Spark task: which GPU it sees, and how it works so that no picture ends the run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pyspark import TaskContext

from eoltag.image import careful
from eoltag.image.careful import Decode
from eoltag.pipeline import computing
from eoltag.pipeline.computing import Computer, InLine
from eoltag.pipeline.frozen import end_when_frozen
from eoltag.pipeline.partition import Job


class Hands(NamedTuple):
    """What handles pictures."""

    decode: Decode
    computer: Computer


def take_gpu() -> None:
    """Show this process only the GPU that Spark gave its task. Before any runtime is imported."""
    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context else None
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)


@contextmanager
def hands(job: Job, *, is_careful: bool) -> Iterator[Hands]:
    """In line at first. A task that is tried again, because its worker died or hung, works apart from itself.

    is_careful: apart from the beginning.
    """
    context, timeout_s = TaskContext.get(), job.settings.decode.timeout_s
    end_when_frozen(timeout_s)
    if is_careful or (context is not None and context.attemptNumber() > 0):
        with careful.apart(timeout_s) as decode, computing.apart(job.models, timeout_s) as computer:
            yield Hands(decode, computer)
    else:
        yield Hands(careful.timed(timeout_s), InLine(job.models))
