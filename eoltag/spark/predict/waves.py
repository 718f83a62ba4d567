"""Runs the to-do list wave by wave: each is committed before the next begins, and sized by the speed so far."""

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from pyspark.sql import functions as F

from eoltag.bundle.staging import MOST_HOSTS
from eoltag.report.top_k import plans_for_part
from eoltag.settings import FetchSettings, RunSettings
from eoltag.spark.predict.plan import Bucket, Plan
from eoltag.spark.predict.tagging import Round, TagWorker, predictions_of
from eoltag.spark.runtime.progress import progress_bar
from eoltag.spark.runtime.session import task_slots
from eoltag.spark.tables.predictions import append_predictions
from eoltag.spark.tables.runs import Run
from eoltag.spark.tables.thumbnails import merge_thumbnails

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


def run_waves(run: Run, plan: Plan, worker: TagWorker) -> None:
    """Predict and commit everything that the plan has to do."""
    output, settings = run.output, worker.settings.run
    slots = task_slots(output.session.sparkContext)
    speed = first_speed(run.staged.hosts, worker.settings.fetch)
    images_done, seconds, left = 0, 0.0, plan.buckets
    total = sum(bucket.images for bucket in plan.buckets)
    with progress_bar(total, lambda: (worker.ok.value, worker.failed.value), is_quiet=run.request.is_quiet):
        while left:
            taken, left = next_wave(left, wave_size(settings, speed))
            images = sum(bucket.images for bucket in taken)
            rounds = rounds_for(images, slots, settings, speed)
            count = sum(one.tasks for one in rounds)
            thumbnails = plans_for_part(worker.thumbnails, count)
            shared = replace(worker, rate_share=1 / min(slots, count), thumbnails=thumbnails)
            started = time.monotonic()
            wave = plan.to_do.where(F.col("bucket").between(taken[0].number, taken[-1].number))
            done = output.stage("wave", predictions_of(wave, taken, shared, rounds, output.run_id))
            append_predictions(output, done.where("jpeg IS NULL").drop("jpeg"), images)
            merge_thumbnails(output, run.tasks, settings.thumbnails, done.where("jpeg IS NOT NULL"))
            images_done, seconds = images_done + images, seconds + time.monotonic() - started
            speed = Speed(images_done, seconds)
