"""Spark's Python workers: which runtime each model gets, what a partition is tagged with, and their early start."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from eoltag.errors import PackageError
from eoltag.model.card import EngineName, Part
from eoltag.model.package import Package
from eoltag.pipeline.clock import Stage
from eoltag.pipeline.models import Held, Models, ModelSource
from eoltag.pipeline.partition import Job
from eoltag.places import install_command
from eoltag.settings import EngineSettings, Settings
from eoltag.spark.predict.known import complete_contents
from eoltag.spark.predict.plan import Plan, measures_of, packages_of, slots_of, wanted_of
from eoltag.spark.predict.tagging import Counters, Longest, TagWorker, warm_up_workers
from eoltag.spark.runtime.session import Configuration, has_gpu_tasks, is_local, task_slots, threads_per_task
from eoltag.spark.tables.facts import SCORES, has_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.runs import Run
from eoltag.spark.tables.thumbnails import plans_of


def choose_engine(package: Package, settings: EngineSettings, conf: Configuration) -> EngineName:
    """The engine that will run `package`. Raises PackageError where it cannot."""
    part: Part = "head" if package.is_head_only else "whole"
    able = package.card.engines_for(part)
    if settings.name != "auto":
        engine: EngineName = settings.name
    elif has_gpu_tasks(conf) and "keras" in able and settings.precision != "int8":
        engine = "keras"
    else:
        engine = able[0]
    package.files_for(engine, settings.precision if part == "whole" else "f32", part)
    backend = settings.keras_backend
    if engine == "keras" and is_local(conf) and find_spec(backend) is None:
        raise PackageError(f"{package.path}: needs Keras with {backend}: {install_command('train')}")
    return engine


@contextmanager
def tag_worker(run: Run) -> Iterator[TagWorker]:
    """What a partition is tagged with; each package is broadcast once, whatever number of tasks uses it.

    Where a model is new to the output, so that there surely is work, workers start and load it while the caller plans.
    """
    output, tasks, settings = run.output, run.tasks, run.request.settings
    context, packages = output.session.sparkContext, packages_of(tasks)
    broadcasts: list[Any] = []

    def send(packed: bytes) -> Any:
        broadcasts.append(context.broadcast(packed))
        return broadcasts[-1]

    sources = sources_of(list(packages.values()), settings, context.getConf(), send)
    models = Models(sources, slots_of(tasks), settings.engine, threads_per_task(context.getConf()))
    worker = TagWorker(
        job=Job(models, settings, measures_of(tasks)),
        rate_share=1.0,
        counters=Counters(
            ok=context.accumulator(0),
            failed=context.accumulator(0),
            broken=context.accumulator(0),
            seconds={stage: context.accumulator(0.0) for stage in Stage},
            absences=context.accumulator({}, Longest()),
        ),
        thumbnails=plans_of(tasks, settings.run.thumbnails),
    )
    try:
        with ThreadPoolExecutor(1) as beside:
            if not all(has_facts(output, SCORES, version) for version in packages):
                beside.submit(_start, output, worker)
            yield worker
    finally:
        for one in broadcasts:
            one.destroy()


def knowing(worker: TagWorker, run: Run, plan: Plan) -> TagWorker:
    """The worker with the contents that lack nothing, where images are asked for and some are known."""
    if not plan.ask_buckets or not has_facts(run.output, SCORES):
        return worker
    known = complete_contents(run.output, wanted_of(run))
    return replace(worker, known=run.output.session.sparkContext.broadcast(known))


def sources_of(
    packages: Sequence[Package], settings: Settings, conf: Configuration, send: Callable[[bytes], Held]
) -> dict[str, ModelSource]:
    """Where workers get each model from. send: brings a packed package to them; a base that is shared goes once."""
    on_base = Counter(package.card.base_version for package in packages if package.has_base)
    bases: dict[tuple[str, EngineName], Held] = {}

    def sent(package: Package, engine: EngineName, part: Part) -> Held:
        return send(package.pack(engine, settings.engine.precision if part == "whole" else "f32", part))

    found = {}
    for package in packages:
        engine, base = choose_engine(package, settings.engine, conf), package.card.base_version
        has_head = package.has_base or package.is_head_only
        head = sent(package, engine, "head") if has_head else None
        if package.has_base and (on_base[base] > 1 or settings.reuse.features):
            if (base, engine) not in bases:
                bases[base, engine] = sent(package, engine, "base")
            found[package.version] = ModelSource(engine, package.card, base=bases[base, engine], head=head)
        elif package.is_head_only:
            found[package.version] = ModelSource(engine, package.card, head=head)
        else:
            found[package.version] = ModelSource(engine, package.card, whole=sent(package, engine, "whole"), head=head)
    return found


def _start(output: Output, worker: TagWorker) -> None:
    """Start the workers of all slots but one, which is left for planning, and load the models there."""
    slots = max(1, task_slots(output.session.sparkContext) - 1)
    with suppress(Py4JError, PySparkException):  # a worker that cannot start says so again, and better, in a wave
        warm_up_workers(output.session, worker, slots)
