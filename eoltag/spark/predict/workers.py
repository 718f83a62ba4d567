"""Spark's Python workers: which runtime each model gets, what a partition is tagged with, and their early start."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.errors import PySparkException

from eoltag.errors import PackageError
from eoltag.model.package import EngineName, Package
from eoltag.pipeline.partition import ModelSource
from eoltag.settings import EngineSettings
from eoltag.spark.predict.plan import slots_of
from eoltag.spark.predict.tagging import TagWorker, warm_up_workers
from eoltag.spark.runtime.session import has_gpu_tasks, task_slots, threads_per_task
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.predictions import has_predictions
from eoltag.spark.tables.runs import Run
from eoltag.spark.tables.thumbnails import plans_of


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


@contextmanager
def tag_worker(run: Run) -> Iterator[TagWorker]:
    """What a partition is tagged with; each package is broadcast once, whatever number of tasks uses it.

    Where a model is new to the output, so that there surely is work, workers start and load it while the caller plans.
    """
    output, tasks, settings = run.output, run.tasks, run.request.settings
    context = output.session.sparkContext
    sources: dict[str, ModelSource] = {}
    for package in {package.version: package for task in tasks for package in task.packages.values()}.values():
        engine = choose_engine(package, settings.engine, context)
        packed = context.broadcast(package.pack(engine, settings.engine.precision))
        sources[package.version] = ModelSource(engine, package.card, packed)
    worker = TagWorker(
        slots={slot.key: slot for slot in slots_of(tasks)},
        sources=sources,
        settings=settings,
        threads=threads_per_task(context),
        rate_share=1.0,
        ok=context.accumulator(0),
        failed=context.accumulator(0),
        thumbnails=plans_of(tasks, settings.run.thumbnails),
    )
    try:
        with ThreadPoolExecutor(1) as beside:
            if not all(has_predictions(output, slot.task, slot.version) for slot in worker.slots.values()):
                beside.submit(_start, output, worker)
            yield worker
    finally:
        for source in sources.values():
            source.packed.destroy()


def _start(output: Output, worker: TagWorker) -> None:
    """Start the workers of all slots but one, which is left for planning, and load the models there."""
    slots = max(1, task_slots(output.session.sparkContext) - 1)
    with suppress(Py4JError, PySparkException):  # a worker that cannot start says so again, and better, in a wave
        warm_up_workers(output.session, worker, slots)
