"""The plan of a run: what is asked of servers, what is scored from what is stored, and their numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.image.copies import least_side_px
from eoltag.model.package import Package
from eoltag.records import ModelSlot
from eoltag.settings import Rung as RungName
from eoltag.spark.predict.inputs import bundle_rows
from eoltag.spark.predict.ladder import Rung, Wanted, WantedModel, images_of, rows_by_rung, to_ask, to_reuse, with_rungs
from eoltag.spark.tables.facts import IMAGES, has_facts
from eoltag.spark.tables.runs import Run


@dataclass(frozen=True, slots=True)
class Counts:
    """The plan in numbers of bundle rows; rows_in = bad_rows + the sum of all rungs."""

    rows_in: int
    bad_rows: int
    """Without a usable URL."""
    from_scores: int
    """Answered by what is stored, failures included."""
    from_features: int
    from_pixels: int
    asked_if_modified: int
    """A server is asked whether it still has the version that is known."""
    to_fetch: int
    without_features: int
    """Only the features of a base that nobody computes here could answer them."""
    requests: int
    """Different URLs that a server is asked for."""
    images_to_score: int
    """Different contents that are scored from stored features or pixels."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A slice of a to-do list, by a hash."""

    number: int
    images: int
    """All of them, those without a usable URL too."""
    usable_images: int
    usable_rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run has to do."""

    rows: DataFrame
    """The bundle rows (schemas.ROWS)."""
    asks: DataFrame
    """The images to ask for (ladder.to_ask), written to disk."""
    ask_buckets: list[Bucket]
    reuses: DataFrame
    """The contents to score from what is stored (ladder.to_reuse), written to disk."""
    reuse_buckets: list[Bucket]
    counts: Counts

    @property
    def is_empty(self) -> bool:
        """There is nothing to do."""
        return not self.ask_buckets and not self.reuse_buckets


def make_plan(run: Run, without: Collection[RungName] = ()) -> Plan:
    """Find the rung of the ladder for every bundle row. without: rungs that are not to be taken this time."""
    output, rows, wanted = run.output, bundle_rows(run), wanted_of(run)
    wanted = replace(wanted, rungs=tuple(name for name in wanted.rungs if name not in without))
    images = with_rungs(images_of(rows), output, wanted)
    if has_facts(output, IMAGES):
        images = output.stage("plan", images)
        by_rung = rows_by_rung(images)
    else:  # all are to be fetched: the to-do list says how many
        by_rung = {}
    asks = output.stage("asks", to_ask(images))
    ask_buckets = buckets_of(asks)
    if not by_rung:
        by_rung = {Rung.FETCH: sum(bucket.usable_rows for bucket in ask_buckets)}
    reuses = to_reuse(images)
    may_reuse = any(by_rung.get(rung) for rung in (Rung.FEATURES, Rung.PIXELS, Rung.NOT_MODIFIED))
    if may_reuse:
        reuses = output.stage("reuses", reuses)
    reuse_buckets = buckets_of(reuses) if may_reuse else []
    rows_in, bad_rows = run.staged.rows, run.staged.bad_rows
    if run.request.sample is not None:  # of whole bundles staging knows the numbers
        rows_in, bad_rows = rows.agg(F.count(F.lit(1)), F.count_if(~F.col("is_usable"))).collect()[0]
    counts = count(by_rung, rows_in, bad_rows, ask_buckets, reuse_buckets)
    return Plan(rows, asks, ask_buckets, reuses, reuse_buckets, counts)


def wanted_of(run: Run) -> Wanted:
    """What the tasks of a run want of every image, by the clock as it stands now."""
    request, reuse = run.request, run.request.settings.reuse
    days = request.refresh_older_than_days
    return Wanted(
        models=tuple(wanted_model(package) for package in packages_of(run.tasks).values()),
        measures=measures_of(run.tasks),
        rungs=reuse.rungs,
        is_failed_asked_again=request.retry_failed,
        asked_before=None if days is None else datetime.now(UTC) - timedelta(days=days),
    )


def wanted_model(package: Package) -> WantedModel:
    """What a package needs of an image."""
    card = package.card
    has_head = package.is_head_only or package.has_base
    return WantedModel(
        package.version, card.base_version if has_head else "", least_side_px(card.spec), package.is_head_only
    )


def packages_of(tasks: Sequence[Task]) -> dict[str, Package]:
    """Model version -> package, each once, whatever number of tasks uses it."""
    return {package.version: package for task in tasks for package in task.packages.values()}


def measures_of(tasks: Sequence[Task]) -> tuple[str, ...]:
    """The image features that some task wants measured."""
    return tuple(sorted({name for task in tasks for name in task.file.features}))


def slots_of(tasks: Sequence[Task]) -> tuple[ModelSlot, ...]:
    """Every model of every task, in its place."""
    return tuple(
        ModelSlot(task.name, model, package.version) for task in tasks for model, package in task.packages.items()
    )


def buckets_of(to_do: DataFrame) -> list[Bucket]:
    """At most ladder.BUCKETS of them, ascending: all that the driver holds of a to-do list."""
    counted = (
        to_do.groupBy("bucket")
        .agg(
            F.count(F.lit(1)).alias("images"),
            F.count_if("is_usable").alias("usable_images"),
            F.sum(F.when(F.col("is_usable"), F.col("rows")).otherwise(0)).alias("usable_rows"),
        )
        .collect()
    )
    return sorted((Bucket(*row) for row in counted), key=lambda bucket: bucket.number)


def count(
    rows: Mapping[Rung, int], rows_in: int, bad_rows: int, asks: Sequence[Bucket], reuses: Sequence[Bucket]
) -> Counts:
    """The numbers of a plan. rows: usable bundle rows by rung. rows_in, bad_rows: of the bundles as they are."""
    return Counts(
        rows_in=rows_in,
        bad_rows=bad_rows,
        from_scores=rows.get(Rung.SCORES, 0),
        from_features=rows.get(Rung.FEATURES, 0),
        from_pixels=rows.get(Rung.PIXELS, 0),
        asked_if_modified=rows.get(Rung.NOT_MODIFIED, 0),
        to_fetch=rows.get(Rung.FETCH, 0),
        without_features=rows.get(Rung.NOWHERE, 0),
        requests=sum(bucket.usable_images for bucket in asks),
        images_to_score=sum(bucket.images for bucket in reuses),
    )
