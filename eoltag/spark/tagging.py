"""The one pass over images: mapInPandas around eoltag.pipeline. Rows go in and out; pixels stay in the worker."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pandas as pd
from pyspark import TaskContext
from pyspark.accumulators import Accumulator
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.pipeline import ModelSource, Prediction, predict_images, warm_up
from eoltag.records import ModelSlot, Outcome, Wanted
from eoltag.settings import Settings
from eoltag.spark.schemas import CARRIED, PREDICTIONS, WORKER_OUTPUT
from eoltag.spark.thumbnails import ThumbnailKeeper

FrameFunction = Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]

_ROWS_PER_FRAME: Final = 512
_DRAWS: Final = 1 << 30
_COLUMNS: Final = WORKER_OUTPUT.fieldNames()


class Round(NamedTuple):
    """Spark tasks of one size in a wave; they start in the order of the rounds."""

    tasks: int
    images: float
    """Of each, about: which image goes into which task is drawn by hash."""


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
    keeper: ThumbnailKeeper | None = None

    def frames(self, inputs: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """To-do rows to prediction rows, CARRIED columns first."""
        _take_gpu()
        rows: list[tuple[Any, ...]] = []
        shelf = self.keeper.new_shelf() if self.keeper else None
        predictions = predict_images(
            _wanted(inputs),
            self.slots,
            self.sources,
            self.settings,
            threads=self.threads,
            rate_share=self.rate_share,
            shelf=shelf,
        )
        for wanted, prediction in predictions:
            rows.append((*wanted.carried, *prediction))
            self._count(wanted, prediction)
            if len(rows) == _ROWS_PER_FRAME:
                yield pd.DataFrame(rows, columns=_COLUMNS)
                rows = []
        if rows:
            yield pd.DataFrame(rows, columns=_COLUMNS)
        if self.keeper and shelf:
            self.keeper.hand_over(shelf)

    def warm_up(self, inputs: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Imports and loads what `frames` will need; hands the rows through."""
        _take_gpu()
        warm_up(self.sources, self.settings, threads=self.threads)
        yield from inputs

    def _count(self, wanted: Wanted, prediction: Prediction) -> None:
        """Each image once, however many models score it."""
        slot = self.slots[wanted.models[0]]
        if (prediction.task, prediction.model) == (slot.task, slot.model):
            (self.ok if prediction.outcome == Outcome.OK else self.failed).add(1)


def predictions_of(wave: DataFrame, worker: TagWorker, rounds: Sequence[Round], run_id: str) -> DataFrame:
    """To-do rows (plan.to_do) to rows of the predictions table (schemas.PREDICTIONS), one per version and model.

    rounds: how the wave is cut into Spark tasks.
    """
    carried = [name for name in CARRIED if name != "eolMediaURL"]
    return (
        wave.select("eolMediaURL", "models", *carried)
        .repartitionById(sum(one.tasks for one in rounds), task_of("eolMediaURL", rounds))
        .mapInPandas(_as_function(worker.frames), WORKER_OUTPUT)
        .withColumn("version", F.explode("versions"))
        .withColumn("dataObjectVersionID", F.when(F.col("version") != "", F.col("version")))
        .withColumn("run_id", F.lit(run_id))
        .select(*PREDICTIONS.fieldNames())
    )


def task_of(url: str, rounds: Sequence[Round]) -> Column:
    """The number of the Spark task for a row, by a hash that has nothing in common with that of the buckets."""
    total = sum(one.tasks * one.images for one in rounds)
    drawn = F.pmod(F.xxhash64(F.lit("task"), url), F.lit(_DRAWS)) * F.lit(total / _DRAWS)
    number, first, begin = F.lit(0), 0, 0.0
    for one in rounds:
        within = F.floor((drawn - F.lit(begin)) / F.lit(one.images))
        number = F.when(drawn >= F.lit(begin), F.least(within, F.lit(one.tasks - 1)) + first).otherwise(number)
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
            yield Wanted(url, tuple(keys), tuple(carried))


def _take_gpu() -> None:
    """Show this process only the GPU that Spark gave its task. Before any runtime is imported."""
    context = TaskContext.get()
    gpu = context.resources().get("gpu") if context else None
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)
