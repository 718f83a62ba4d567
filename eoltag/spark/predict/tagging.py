"""The one pass over images: mapInPandas around eoltag.pipeline. Rows go in and out; pixels stay in the worker."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, NamedTuple

import pandas as pd
from pyspark import TaskContext
from pyspark.accumulators import Accumulator
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.pipeline.partition import ModelSource, Prediction, predict_images, warm_up
from eoltag.records import FetchRequest, ModelSlot, Outcome, Wanted
from eoltag.report.top_k import Collector, ThumbnailPlans
from eoltag.settings import Settings
from eoltag.spark.predict.plan import Bucket
from eoltag.spark.tables.schemas import CARRIED, PREDICTIONS, WORKER_OUTPUT
from eoltag.spark.tables.thumbnails import worker_rows

FrameFunction = Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]

_ROWS_PER_FRAME: Final = 512
_DRAWS: Final = 1 << 30
_COLUMNS: Final = WORKER_OUTPUT.fieldNames()


class Round(NamedTuple):
    """Spark tasks of one size in a wave; they start in the order of the rounds."""

    tasks: int
    images: float
    """Images of each task, about."""


@dataclass(frozen=True)
class TagWorker:
    """Everything that an executor needs to tag a partition; travels by pickle, the models by broadcast."""

    slots: Mapping[str, ModelSlot]
    sources: Mapping[str, ModelSource]
    settings: Settings
    threads: int
    rate_share: float
    ok: Accumulator[int]
    failed: Accumulator[int]
    thumbnails: ThumbnailPlans
    """What one Spark task keeps for the report."""

    def frames(self, inputs: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """To-do rows to prediction rows, CARRIED columns first; thumbnails come last."""
        _take_gpu()
        rows: list[tuple[Any, ...]] = []
        collector = Collector(self.thumbnails) if self.thumbnails else None
        predictions = predict_images(
            _wanted(inputs),
            self.slots,
            self.sources,
            self.settings,
            threads=self.threads,
            rate_share=self.rate_share,
            collector=collector,
        )
        for wanted, prediction in predictions:
            rows.append((*wanted.carried, *prediction.row(), None))
            self._count(wanted, prediction)
            if len(rows) == _ROWS_PER_FRAME:
                yield pd.DataFrame(rows, columns=_COLUMNS)
                rows = []
        if collector:
            rows += worker_rows(collector.thumbnails())
        if rows:
            yield pd.DataFrame(rows, columns=_COLUMNS)

    def warm_up(self, inputs: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Imports and loads what `frames` will need; hands the rows through."""
        _take_gpu()
        warm_up(self.sources, self.settings, threads=self.threads)
        yield from inputs

    def _count(self, wanted: Wanted, prediction: Prediction) -> None:
        """Add to the progress bar: each image once, however many models score it."""
        slot = self.slots[wanted.models[0]]
        if (prediction.task, prediction.model) == (slot.task, slot.model):
            (self.ok if prediction.outcome == Outcome.OK else self.failed).add(1)


def predictions_of(
    wave: DataFrame, buckets: Sequence[Bucket], worker: TagWorker, rounds: Sequence[Round], run_id: str
) -> DataFrame:
    """To-do rows (plan.to_do) to rows of the predictions table (schemas.PREDICTIONS), one per version and model.

    Rows in which a further column `jpeg` is not NULL are thumbnails.
    buckets: those of the wave. rounds: how it is cut into Spark tasks.
    """
    carried = [name for name in CARRIED if name != "eolMediaURL"]
    return (
        wave.select("eolMediaURL", "models", *carried, place_of(buckets).alias("place"))
        .withColumn("task", task_of("place", rounds))
        .repartitionById(sum(one.tasks for one in rounds), "task")
        .drop("place", "task")
        .mapInPandas(_as_function(worker.frames), WORKER_OUTPUT)
        .withColumn("version", F.explode("versions"))
        .withColumn("dataObjectVersionID", F.when(F.col("version") != "", F.col("version")))
        .withColumn("run_id", F.lit(run_id))
        .select(*PREDICTIONS.fieldNames(), "jpeg")
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
    rows.mapInPandas(_as_function(worker.warm_up), rows.schema).write.format("noop").mode("overwrite").save()


def _as_function(method: FrameFunction) -> FrameFunction:
    """A plain function, which is all that mapInPandas takes."""

    def on_frames(inputs: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        return method(inputs)

    return on_frames


def _wanted(inputs: Iterator[pd.DataFrame]) -> Iterator[Wanted]:
    names = list(CARRIED)
    for frame in inputs:
        columns = [frame[name].tolist() for name in names]
        urls, models = frame["eolMediaURL"].tolist(), frame["models"].tolist()
        for url, keys, *carried in zip(urls, models, *columns, strict=True):
            yield Wanted(FetchRequest(url), tuple(keys), tuple(carried))


def _take_gpu() -> None:
    """Show this process only the GPU that Spark gave its task. Before any runtime is imported."""
    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context else None
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)
