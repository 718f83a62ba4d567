"""Runs the to-do lists wave by wave: each is committed before the next begins, and sized by the speed so far."""

import logging
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from math import ceil
from typing import Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.bundle.staging import MOST_HOSTS
from eoltag.report.top_k import plans_for_part
from eoltag.settings import FetchSettings, RunSettings
from eoltag.spark.predict.plan import Bucket, Plan, buckets_of
from eoltag.spark.predict.tagging import Round, TagWorker, asked, scored_copies, scored_vectors
from eoltag.spark.predict.work import Progress, Speed
from eoltag.spark.predict.workers import knowing
from eoltag.spark.runtime.progress import progress_bar
from eoltag.spark.runtime.session import task_slots
from eoltag.spark.tables.answers import is_transient
from eoltag.spark.tables.facts import BLOB_ROW_GROUP, FEATURES, IMAGES, PIXELS, between_prefixes, read_facts
from eoltag.spark.tables.files import configured
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.runs import Run

_log: Final = logging.getLogger(__name__)
_LAST_ROUND: Final = (9 / 13, 3 / 13, 1 / 13)
"""Shares of a task of the last round: a core waits for half of a thirteenth of a task, at a cost of two more starts."""
_FEWEST_IMAGES: Final = 16
"""Tasks of fewer would mostly start and end."""
_FEWEST_STORED: Final = 20_000
"""Contents of a wave of stored ones: their ranges are read from the tables, whose row groups hold some thousand."""

_LOST_WORKER: Final = ("Python worker exited unexpectedly", "Python worker process terminated", "ExecutorLostFailure")
"""How Spark says that a task's process is gone."""


def first_speed(hosts: Set[str], settings: FetchSettings) -> Speed:
    """What the rate limits allow at most, where each of the hosts has one: the first wave is cut for that."""
    rates = [settings.hosts.get(host, settings.requests_per_s) for host in hosts]
    if not rates or len(hosts) > MOST_HOSTS or 0 in rates:
        return Speed()
    return Speed(images=round(1000 * sum(rates)), seconds=1000.0)


def slower(measured: Speed, allowed: Speed) -> Speed:
    """What the next wave is cut for: images of a host that is away fail faster than any can be asked for."""
    limit = allowed.images_per_s
    return allowed if limit is not None and (measured.images_per_s or limit) >= limit else measured


def wave_size(settings: RunSettings, speed: Speed) -> int:
    """Images of the next wave."""
    if speed.images_per_s is None:
        return settings.first_wave_images
    return max(1, int(speed.images_per_s * settings.wave_s))


def next_wave(buckets: Sequence[Bucket], size: int) -> tuple[list[Bucket], list[Bucket]]:
    """The buckets of the next wave, of about `size` images, and those left."""
    images, taken = 0, 0
    while taken < len(buckets) and images < size:
        images += buckets[taken].images
        taken += 1
    return list(buckets[:taken]), list(buckets[taken:])


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


def estimated_s(run: Run, plan: Plan) -> float | None:
    """Seconds that the requests of a plan take by the rate limits of their hosts alone; None where there are none."""
    speed = first_speed(run.staged.hosts, run.request.settings.fetch).images_per_s
    return None if speed is None else round(plan.counts.requests / speed, 1)


def run_waves(run: Run, plan: Plan, worker: TagWorker) -> Progress:
    """Do everything that the plan has to do, wave by wave: what is stored is scored first, then servers are asked."""
    progress = Progress(slots=task_slots(run.output.session.sparkContext))
    total = sum(bucket.images for bucket in (*plan.reuse_buckets, *plan.ask_buckets))
    counters = worker.counters
    if total:
        _log.info(
            "%s images to ask servers for, %s to score from what is stored",
            f"{plan.counts.requests:,}",
            f"{plan.counts.images_to_score:,}",
        )
    with progress_bar(total, lambda: (counters.ok.value, counters.failed.value), is_quiet=run.request.is_quiet):
        _score_stored(run, plan, worker, progress)
        worker = knowing(worker, run, plan)
        _ask(run, plan.asks, plan.ask_buckets, worker, progress)
        _ask_again(run, plan, worker, progress)
    progress.absences = dict(counters.absences.value)
    progress.stage_s = {str(stage): total.value for stage, total in counters.seconds.items()}
    return progress


def _ask_again(run: Run, plan: Plan, worker: TagWorker, progress: Progress) -> None:
    """Ask once more for the images whose failure may have passed by now; this time hosts that are away are waited for.

    Every request that this run has made without an answer is among the images table's rows of this run.
    """
    images = read_facts(run.output, IMAGES) if progress.transient else None
    if images is None:
        return
    failed = images.where((F.col("run_id") == run.output.run_id) & is_transient("outcome")).select("eolMediaURL")
    asks = run.output.stage("again", plan.asks.join(failed, on="eolMediaURL", how="left_semi"))
    buckets = buckets_of(asks)
    _log.info("asking once more for %s images that failed for now", f"{sum(bucket.images for bucket in buckets):,}")
    progress.asked_again += sum(bucket.images for bucket in buckets)
    progress.forget_transient()
    _ask(run, asks, buckets, replace(worker, is_last_pass=True), progress)


def _ask(run: Run, asks: DataFrame, buckets: Sequence[Bucket], worker: TagWorker, progress: Progress) -> None:
    """Ask servers for images. asks: as ladder.to_ask gives them."""
    output, settings = run.output, worker.job.settings
    slots = task_slots(output.session.sparkContext)
    allowed, left = first_speed(run.staged.hosts, settings.fetch), list(buckets)
    speed = allowed
    while left:
        taken, left = next_wave(left, wave_size(settings.run, speed))
        images = sum(bucket.images for bucket in taken)
        rounds = rounds_for(images, slots, settings.run, speed)
        tasks = sum(one.tasks for one in rounds)
        thumbnails = plans_for_part(worker.thumbnails, tasks)
        shared = replace(worker, rate_share=1 / min(slots, tasks), thumbnails=thumbnails)
        wave = asks.where(F.col("bucket").between(taken[0].number, taken[-1].number))
        try:
            progress.add(run, asked(wave, taken, shared, rounds), images)
        except (Py4JError, PySparkException) as problem:
            if not has_lost_worker(problem):
                raise
            _ask_carefully(run, wave, taken, replace(shared, is_careful=True), rounds, progress)
        speed = slower(progress.speed, allowed)


def _ask_carefully(
    run: Run, wave: DataFrame, buckets: Sequence[Bucket], worker: TagWorker, rounds: Sequence[Round], progress: Progress
) -> None:
    """A wave that has lost its workers, once more; one that still loses them is halved. Raises what Spark raises."""
    images = sum(bucket.images for bucket in buckets)
    try:
        progress.add(run, asked(wave, buckets, worker, rounds), images)
    except (Py4JError, PySparkException) as problem:
        if not has_lost_worker(problem) or len(buckets) == 1:
            raise
        for half in halves(buckets):
            part = wave.where(F.col("bucket").between(half[0].number, half[-1].number))
            _ask_carefully(run, part, half, worker, halved(rounds), progress)


def halves(buckets: Sequence[Bucket]) -> tuple[Sequence[Bucket], Sequence[Bucket]]:
    """The first half of some buckets and the other."""
    middle = len(buckets) // 2
    return buckets[:middle], buckets[middle:]


def halved(rounds: Sequence[Round]) -> list[Round]:
    """As many tasks, each of half as many images."""
    return [one._replace(images=one.images / 2) for one in rounds]


def has_lost_worker(problem: Exception) -> bool:
    """Whether a wave failed because the processes of a task died, and may succeed where pictures are decoded apart."""
    return any(words in str(problem) for words in _LOST_WORKER)


def _score_stored(run: Run, plan: Plan, worker: TagWorker, progress: Progress) -> None:
    """Score stored features and copies, a range of contents at a time."""
    output, settings = run.output, worker.job.settings
    left, speed, shared = plan.reuse_buckets, Speed(), Progress(slots=progress.slots)
    with configured(output.session, "spark.sql.files.maxPartitionBytes", BLOB_ROW_GROUP):
        while left:
            taken, left = next_wave(left, max(_FEWEST_STORED, wave_size(settings.run, speed)))
            first, last = taken[0].number, taken[-1].number
            wave = plan.reuses.where(F.col("bucket").between(first, last))
            images = sum(bucket.images for bucket in taken)
            for rows in _stored(output, wave, worker, between_prefixes(first, last)):
                shared.add(run, rows, images)
            speed = shared.speed
    progress.merge(shared)


def _stored(output: Output, wave: DataFrame, worker: TagWorker, is_in_range: Column) -> Iterator[DataFrame]:
    """The passes over stored features, one for each base, and over stored copies."""
    versions: dict[str, list[str]] = {}
    for version, source in worker.job.models.sources.items():
        if source.head is not None:
            versions.setdefault(source.card.base_version, []).append(version)
    features, pixels = read_facts(output, FEATURES), read_facts(output, PIXELS)
    if features is not None:
        for base, mine in versions.items():
            yield scored_vectors(wave, features.where((F.col("base_version") == base) & is_in_range), mine, worker)
    if pixels is not None:
        yield scored_copies(wave, pixels.where(is_in_range), worker)
