"""Runs the to-do list wave by wave: each is committed before the next begins, and sized by the speed so far."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil

from pyspark import SparkContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide import Task
from eoltag.errors import PackageError
from eoltag.package import EngineName, Package
from eoltag.pipeline import ModelSource
from eoltag.records import ModelSlot
from eoltag.settings import EngineSettings, RunSettings, Settings
from eoltag.spark.plan import next_wave
from eoltag.spark.progress import progress_bar
from eoltag.spark.session import has_gpu_tasks, task_slots, threads_per_task
from eoltag.spark.tables import Output
from eoltag.spark.tagging import TagWorker, predictions_of


@dataclass(frozen=True, slots=True)
class Speed:
    """Images and seconds of the waves so far."""

    images: int = 0
    seconds: float = 0.0

    @property
    def images_per_s(self) -> float | None:
        """None before the first wave."""
        return self.images / self.seconds if self.seconds > 0 else None


def slots_of(tasks: list[Task]) -> list[ModelSlot]:
    """Every model of every task, in its place."""
    return [ModelSlot(task.name, model, package.version) for task in tasks for model, package in task.packages.items()]


def choose_engine(package: Package, settings: EngineSettings, context: SparkContext) -> EngineName:
    """The engine that will run `package`. Raises PackageError where it cannot."""
    if settings.name != "auto":
        package.pack(settings.name)
        engine: EngineName = settings.name
    elif has_gpu_tasks(context) and "keras" in package.engines:
        engine = "keras"
    else:
        engine = package.engines[0]
    backend = settings.keras_backend
    if engine == "keras" and (context.master or "").startswith("local") and find_spec(backend) is None:
        raise PackageError(f"{package.path}: needs Keras with {backend}: pip install 'eoltag[train]'")
    return engine


def wave_size(settings: RunSettings, speed: Speed) -> int:
    """Images of the next wave."""
    if speed.images_per_s is None:
        return settings.first_wave_images
    return max(settings.first_wave_images, int(speed.images_per_s * settings.wave_s))


def tasks_for(images: int, slots: int, settings: RunSettings, speed: Speed) -> int:
    """Spark tasks for a wave: whole rounds of all slots, so that none idles while the last ones run."""
    per_task: float = settings.first_task_images
    if speed.images_per_s is not None:
        per_task = max(1.0, speed.images_per_s / slots * settings.task_s)
    rounds = max(1, ceil(images / per_task / slots))
    return min(rounds * slots, max(1, images))


def run_waves(output: Output, to_do: DataFrame, tasks: list[Task], settings: Settings, *, is_quiet: bool) -> Speed:
    """Predict and commit everything in `to_do` (plan.to_do, written to disk)."""
    context = output.session.sparkContext
    slots = task_slots(context)
    buckets = [(row["bucket"], row["count"]) for row in to_do.groupBy("bucket").count().orderBy("bucket").collect()]
    ok, failed = context.accumulator(0), context.accumulator(0)
    speed = Speed()
    with (
        _broadcast(output, tasks, settings) as sources,
        progress_bar(sum(images for _, images in buckets), lambda: (ok.value, failed.value), is_quiet=is_quiet),
    ):
        while buckets:
            (first, last, images), buckets = next_wave(buckets, wave_size(settings.run, speed))
            count = tasks_for(images, slots, settings.run, speed)
            worker = TagWorker(
                slots={slot.key: slot for slot in slots_of(tasks)},
                sources=sources,
                settings=settings,
                threads=threads_per_task(context),
                rate_share=1 / min(slots, count),
                ok=ok,
                failed=failed,
            )
            started = time.monotonic()
            wave = to_do.where(F.col("bucket").between(first, last))
            output.append_predictions(predictions_of(wave, worker, count, output.run_id), images)
            speed = Speed(speed.images + images, speed.seconds + time.monotonic() - started)
    return speed


@contextmanager
def _broadcast(output: Output, tasks: list[Task], settings: Settings) -> Iterator[dict[str, ModelSource]]:
    """Each package once, whatever number of tasks uses it."""
    context = output.session.sparkContext
    packages = {package.version: package for task in tasks for package in task.packages.values()}
    sources: dict[str, ModelSource] = {}
    for version, package in packages.items():
        engine = choose_engine(package, settings.engine, context)
        sources[version] = ModelSource(engine, package.card, context.broadcast(package.pack(engine)))
    try:
        yield sources
    finally:
        for source in sources.values():
            source.packed.destroy()
