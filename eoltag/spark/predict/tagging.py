"""The passes over images: mapInArrow around eoltag.pipeline. Rows go in and out; whole pictures stay in the worker."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.accumulators import Accumulator, AccumulatorParam
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.pipeline.clock import Stage, Stopwatch
from eoltag.pipeline.partition import Job, KeptPixels, KnownContents, score_copies, tag_images
from eoltag.pipeline.rows import ImageRow
from eoltag.pipeline.scoring import FEATURE_TYPE, score_vectors
from eoltag.records import FetchRequest, KnownContent, Outcome, WantedImage
from eoltag.report.top_k import Collector, ThumbnailPlans
from eoltag.spark.predict.arrow_rows import Batches, as_columns, batch_of, columns_of
from eoltag.spark.predict.plan import Bucket
from eoltag.spark.predict.process import hands, take_gpu
from eoltag.spark.tables.schemas import WORKER_OUTPUT
from eoltag.spark.tables.thumbnails import worker_rows

BatchFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_DRAWS: Final = 1 << 30
_ASKED: Final = ("eolMediaURL", "versions", "known", "lacking", "is_conditional")
_COPIES: Final = ("content_sha256", "image", "from_pixels", "eolMediaURL", "source_width", "source_height")


class Round(NamedTuple):
    """Spark tasks of one size in a wave; they start in the order of the rounds."""

    tasks: int
    images: float
    """Images of each task, about."""


@dataclass(frozen=True)
class Counters:
    """What running tasks add up, for the progress bar and the summary. A retried task counts twice."""

    ok: Accumulator[int]
    failed: Accumulator[int]
    broken: Accumulator[int]
    """Kept copies that could not be decoded."""
    seconds: Mapping[Stage, Accumulator[float]]
    """Seconds of tasks in each stage."""
    absences: Accumulator[dict[str, float]]
    """Host -> the longest time in seconds that it gave no answer."""

    def add_time(self, watch: Stopwatch) -> None:
        """The times of one task."""
        for stage, seconds in watch.seconds.items():
            self.seconds[stage].add(seconds)


class Longest(AccumulatorParam[dict[str, float]]):
    """Adds up to the largest value of each key."""

    def zero(self, value: dict[str, float]) -> dict[str, float]:  # noqa: ARG002  the name that Spark gives
        """What changes nothing."""
        return {}

    def addInPlace(self, value1: dict[str, float], value2: dict[str, float]) -> dict[str, float]:  # noqa: N802
        """The larger ones of both."""
        return {key: max(value1.get(key, 0.0), value2.get(key, 0.0)) for key in {**value1, **value2}}


@dataclass(frozen=True)
class TagWorker:
    """Everything that an executor needs to tag a partition; travels by pickle, packages and contents by broadcast."""

    job: Job
    rate_share: float
    counters: Counters
    thumbnails: ThumbnailPlans
    """What one Spark task keeps for the report."""
    known: Any = None
    """Broadcast of the contents that lack nothing (KnownContents); None: there are none."""
    is_last_pass: bool = False
    """What fails now is not asked again by this run, so that hosts that are away are waited for."""
    is_careful: bool = False
    """Pictures are decoded and scored in processes of their own: a worker has died."""

    def ask(self, inputs: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows of the to-do list (ladder.to_ask) to rows of all tables; thumbnails come last."""
        take_gpu()
        collector, watch, batches = self._collector(), Stopwatch(), Batches()
        known: KnownContents = frozenset() if self.known is None else self.known.value
        absences: dict[str, float] = {}
        with hands(self.job, is_careful=self.is_careful) as (decode, computer):
            found = tag_images(
                _wanted(inputs),
                self.job,
                rate_share=self.rate_share,
                known=known,
                decode=decode,
                computer=computer,
                collector=collector,
                watch=watch,
                is_last_pass=self.is_last_pass,
                absences=absences,
            )
            for item, row in found:
                if isinstance(row, ImageRow):
                    (self.counters.ok if row.outcome == Outcome.OK else self.counters.failed).add(1)
                yield from batches.add(as_columns(row, item))
        if absences:
            self.counters.absences.add(absences)
        yield from self._end(batches, collector, watch)

    def score_pixels(self, inputs: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Kept copies to scores; thumbnails come last."""
        take_gpu()
        collector, watch, batches = self._collector(), Stopwatch(), Batches()
        with hands(self.job, is_careful=self.is_careful) as (decode, computer):
            found = score_copies(
                self._counted(_copies(inputs)),
                self.job,
                on_broken=lambda _: self.counters.broken.add(1),
                decode=decode,
                computer=computer,
                collector=collector,
                watch=watch,
            )
            for row in found:
                yield from batches.add(as_columns(row, None))
        yield from self._end(batches, collector, watch)

    def score_features(self, inputs: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Stored vectors of one base to scores, in whole batches: a million would be a minute of Python one by one."""
        take_gpu()
        watch = Stopwatch()
        for batch in inputs:
            contents, lacking = batch.column("content_sha256"), batch.column("from_features").to_pylist()
            with watch.of(Stage.INFER):
                blocks = list(score_vectors(self.job.models, vectors_of(batch.column("vector")), lacking))
            self.counters.ok.add(len(contents))
            for block in blocks:
                yield batch_of(block, contents)
        self.counters.add_time(watch)

    def warm_up(self, inputs: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Imports and loads what the passes will need; hands the rows through."""
        take_gpu()
        self.job.models.load()
        yield from inputs

    def _collector(self) -> Collector | None:
        return Collector(self.thumbnails) if self.thumbnails else None

    def _counted(self, copies: Iterator[KeptPixels]) -> Iterator[KeptPixels]:
        for copy in copies:
            self.counters.ok.add(1)
            yield copy

    def _end(self, batches: Batches, collector: Collector | None, watch: Stopwatch) -> Iterator[pa.RecordBatch]:
        for row in worker_rows(collector.thumbnails()) if collector else ():
            yield from batches.add(row)
        yield from batches.finish()
        self.counters.add_time(watch)


def vectors_of(column: pa.Array) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Stored vectors (N, D). Raises ValueError where they differ in length."""
    values = column.to_pylist()
    if len({len(value) for value in values}) > 1:
        raise ValueError("vectors of one length were wanted. Received: several")
    return np.frombuffer(b"".join(values), FEATURE_TYPE).reshape(len(values), -1)


def asked(wave: DataFrame, buckets: Sequence[Bucket], worker: TagWorker, rounds: Sequence[Round]) -> DataFrame:
    """Rows of the to-do list (ladder.to_ask) to rows of all tables (schemas.WORKER_OUTPUT).

    buckets: those of the wave. rounds: how it is cut into Spark tasks.
    """
    return (
        wave.select(*_ASKED, place_of(buckets).alias("place"))
        .withColumn("task", task_of("place", rounds))
        .repartitionById(sum(one.tasks for one in rounds), "task")
        .select(*_ASKED)
        .mapInArrow(_as_function(worker.ask), WORKER_OUTPUT)
    )


def scored_copies(wave: DataFrame, pixels: DataFrame, worker: TagWorker) -> DataFrame:
    """Contents (ladder.to_reuse) with their kept copies to rows of all tables."""
    wanted = wave.where(F.size("from_pixels") > 0).select("content_sha256", "eolMediaURL", "from_pixels")
    joined = pixels.join(F.broadcast(wanted), on="content_sha256", how="inner")
    return joined.select(*_COPIES).mapInArrow(_as_function(worker.score_pixels), WORKER_OUTPUT)


def scored_vectors(wave: DataFrame, features: DataFrame, versions: Sequence[str], worker: TagWorker) -> DataFrame:
    """Contents (ladder.to_reuse) with their stored features to rows of all tables.

    features: those of one base. versions: of the models that stand on it.
    """
    mine = F.array_intersect("from_features", F.array(*map(F.lit, versions))).alias("from_features")
    wanted = wave.select("content_sha256", mine).where(F.size("from_features") > 0)
    joined = features.join(F.broadcast(wanted), on="content_sha256", how="inner")
    return joined.select("content_sha256", "vector", "from_features").mapInArrow(
        _as_function(worker.score_features), WORKER_OUTPUT
    )


def place_of(buckets: Sequence[Bucket]) -> Column:
    """The place of a row of `buckets` among all of their images, from 0; out by a part of its bucket at most.

    The images before its bucket are counted; the place inside is drawn by a hash that has nothing in common with that
    of the buckets.
    """
    first, last = buckets[0].number, buckets[-1].number
    sizes = {bucket.number: bucket.images for bucket in buckets}
    starts = [0, *accumulate(sizes.get(number, 0) for number in range(first, last + 1))]
    known = F.from_json(F.lit(json.dumps(starts)), "array<int>")  # a list of literals takes a second
    begin, end = F.get(known, F.col("bucket") - first), F.get(known, F.col("bucket") - first + 1)
    drawn = F.pmod(F.xxhash64(F.lit("task"), "eolMediaURL"), F.lit(_DRAWS)) / F.lit(_DRAWS)
    return begin + drawn * (end - begin)


def task_of(place: str, rounds: Sequence[Round]) -> Column:
    """The number of the Spark task for a place among the images of `rounds`, from 0."""
    number, first, begin = F.lit(0), 0, 0.0
    for one in rounds:
        within = F.floor((F.col(place) - begin) / one.images)
        task = F.least(within, F.lit(one.tasks - 1)) + first
        number = F.when(F.col(place) >= begin, task).otherwise(number)
        first, begin = first + one.tasks, begin + one.tasks * one.images
    return number.cast("int")


def warm_up_workers(session: SparkSession, worker: TagWorker, slots: int) -> None:
    """Start a Python worker in every slot and load the models there, once."""
    rows = session.range(0, slots, numPartitions=slots)
    rows.mapInArrow(_as_function(worker.warm_up), rows.schema).write.format("noop").mode("overwrite").save()


def _as_function(method: BatchFunction) -> BatchFunction:
    """A plain function, which is all that mapInArrow takes."""

    def on_batches(inputs: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return method(inputs)

    return on_batches


def _wanted(inputs: Iterator[pa.RecordBatch]) -> Iterator[WantedImage]:
    for url, versions, known, lacking, is_conditional in columns_of(inputs, _ASKED):
        request = FetchRequest(url)
        if is_conditional:
            request = FetchRequest(url, known["etag"], known["last_modified"], known["rendition"])
        content = None if known is None else KnownContent(**{name: known[name] for name in _KNOWN})
        yield WantedImage(request, content, tuple(lacking), (url, versions))


_KNOWN: Final = ("content_sha256", "bytes", "width", "height", "color_mode", "perceptual_hash")


def _copies(inputs: Iterator[pa.RecordBatch]) -> Iterator[KeptPixels]:
    for content, image, lacking, url, width, height in columns_of(inputs, _COPIES):
        yield KeptPixels(content, image, tuple(lacking), url, width, height)
