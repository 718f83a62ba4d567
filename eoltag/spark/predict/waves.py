"""Runs the to-do list wave by wave: each is committed before the next begins, and sized by the speed so far."""

import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import ceil
from typing import Final

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.bundle.staging import MOST_HOSTS
from eoltag.decide.task import Task
from eoltag.errors import PackageError
from eoltag.model.package import EngineName, Package
from eoltag.pipeline.partition import ModelSource
from eoltag.records import ModelSlot
from eoltag.report.top_k import plans_for_part
from eoltag.settings import EngineSettings, FetchSettings, RunSettings, Settings
from eoltag.spark.predict.plan import Bucket, next_wave
from eoltag.spark.predict.tagging import Round, TagWorker, predictions_of, warm_up_workers
from eoltag.spark.runtime.progress import progress_bar
from eoltag.spark.runtime.session import has_gpu_tasks, task_slots, threads_per_task
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.thumbnails import merge_thumbnails, plans_of

_LAST_ROUND: Final = (9 / 13, 3 / 13, 1 / 13)
"""Shares of a task of the last round: a core waits for half of a thirteenth of a task, at a cost of two more starts."""
_FEWEST_IMAGES: Final = 16
"""Tasks of fewer would mostly start and end."""


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
    return [
        ModelSlot(task.name, model, package.version, task.file.features)
        for task in tasks
        for model, package in task.packages.items()
    ]


def choose_engine(package: Package, settings: EngineSettings, context: SparkContext) -> EngineName:
    """The engine that will run `package`. Raises PackageError where it cannot."""
    if settings.name != "auto":
        engine: EngineName = settings.name
    elif has_gpu_tasks(context) and "keras" in package.engines and settings.precision != "int8":
        engine = "keras"
    else:
        engine = package.engines[0]
    package.files_for(engine, settings.precision)
    backend = settings.keras_backend
    if engine == "keras" and (context.master or "").startswith("local") and find_spec(backend) is None:
        raise PackageError(f"{package.path}: needs Keras with {backend}: pip install 'eoltag[train]'")
    return engine


def first_speed(hosts: Set[str], settings: FetchSettings) -> Speed:
    """What the rate limits allow at most, where each of the hosts has one: the first wave is cut for that."""
    rates = [settings.hosts.get(host, settings.requests_per_s) for host in hosts]
    if not rates or len(hosts) > MOST_HOSTS or 0 in rates:
        return Speed()
    return Speed(images=round(1000 * sum(rates)), seconds=1000.0)


def wave_size(settings: RunSettings, speed: Speed) -> int:
    """Images of the next wave."""
    if speed.images_per_s is None:
        return settings.first_wave_images
    return max(1, int(speed.images_per_s * settings.wave_s))


def rounds_for(images: int, slots: int, settings: RunSettings, speed: Speed) -> list[Round]:
    """A wave as whole rounds of all slots. The last round falls into three, so that none idles long at the end."""
    per_task: float = settings.first_task_images
    if speed.images_per_s is not None:
        per_task = max(1.0, speed.images_per_s / slots * settings.task_s)
    count = max(1, ceil(images / per_task / slots - 0.5))  # the nearest whole number
    each = images / count / slots
    smallest = each * _LAST_ROUND[-1]
    if smallest < _FEWEST_IMAGES:
        tasks = min(count * slots, max(1, images))
        return [Round(tasks, images / tasks)]
    whole = [Round((count - 1) * slots, each)] if count > 1 else []
    return whole + [Round(slots, each * share) for share in _LAST_ROUND]


@contextmanager
def worker_for(output: Output, tasks: list[Task], settings: Settings) -> Iterator[TagWorker]:
    """What a partition is tagged with, each package broadcast once whatever number of tasks uses it."""
    context = output.session.sparkContext
    packages = {package.version: package for task in tasks for package in task.packages.values()}
    sources: dict[str, ModelSource] = {}
    for version, package in packages.items():
        engine = choose_engine(package, settings.engine, context)
        packed = package.pack(engine, settings.engine.precision)
        sources[version] = ModelSource(engine, package.card, context.broadcast(packed))
    try:
        yield TagWorker(
            slots={slot.key: slot for slot in slots_of(tasks)},
            sources=sources,
            settings=settings,
            threads=threads_per_task(context),
            rate_share=1.0,
            ok=context.accumulator(0),
            failed=context.accumulator(0),
            thumbnails=plans_of(tasks, settings.run.thumbnails),
        )
    finally:
        for source in sources.values():
            source.packed.destroy()


def start_workers(output: Output, worker: TagWorker) -> None:
    """Start workers and load models where a model is new here, so that there surely is work. Beside planning."""
    if all(output.has_predictions(slot.task, slot.version) for slot in worker.slots.values()):
        return
    slots = max(1, task_slots(output.session.sparkContext) - 1)  # one is left for planning, which would else wait
    with suppress(Py4JError, PySparkException):  # a worker that cannot start says so again, and better, in a wave
        warm_up_workers(output.session, worker, slots)


def run_waves(
    output: Output,
    tasks: list[Task],
    to_do: DataFrame,
    buckets: list[Bucket],
    worker: TagWorker,
    *,
    speed: Speed,
    is_quiet: bool,
) -> None:
    """Predict and commit everything in `to_do` (plan.to_do, written to disk; `buckets` are its plan.buckets_of).

    speed: what is expected before the first wave.
    """
    slots = task_slots(output.session.sparkContext)
    settings = worker.settings.run
    images_done, seconds = 0, 0.0
    total = sum(bucket.images for bucket in buckets)
    with progress_bar(total, lambda: (worker.ok.value, worker.failed.value), is_quiet=is_quiet):
        while buckets:
            taken, buckets = next_wave(buckets, wave_size(settings, speed))
            images = sum(bucket.images for bucket in taken)
            rounds = rounds_for(images, slots, settings, speed)
            count = sum(one.tasks for one in rounds)
            plans = plans_for_part(worker.thumbnails, count)
            shared = replace(worker, rate_share=1 / min(slots, count), thumbnails=plans)
            started = time.monotonic()
            wave = to_do.where(F.col("bucket").between(taken[0].number, taken[-1].number))
            done = output.stage("wave", predictions_of(wave, taken, shared, rounds, output.run_id))
            output.append_predictions(done.where("jpeg IS NULL").drop("jpeg"), images)
            merge_thumbnails(output, tasks, settings.thumbnails, done.where("jpeg IS NOT NULL"))
            images_done, seconds = images_done + images, seconds + time.monotonic() - started
            speed = Speed(images_done, seconds)
