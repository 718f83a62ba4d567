"""The Python process of a Spark task: which GPU it sees, and how it decodes so that no picture ends the run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import TaskContext

from eoltag.image import careful
from eoltag.image.careful import Decode
from eoltag.pipeline.frozen import end_when_frozen


def take_gpu() -> None:
    """Show this process only the GPU that Spark gave its task. Before any runtime is imported."""
    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context else None
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)


@contextmanager
def decoder(timeout_s: float, *, is_careful: bool) -> Iterator[Decode]:
    """In line at first. A task that is tried again, because its worker died or hung, decodes apart from itself.

    is_careful: apart from the beginning.
    """
    context = TaskContext.get()
    end_when_frozen(timeout_s)
    if is_careful or (context is not None and context.attemptNumber() > 0):
        with careful.apart(timeout_s) as decode:
            yield decode
    else:
        yield careful.timed(timeout_s)
