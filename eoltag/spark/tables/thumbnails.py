"""Thumbnails from the workers' shelves to thumbnails/task=T in the output: through an accumulator, merged, bounded."""

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.accumulators import Accumulator, AccumulatorParam

from eoltag.decide.task import Task, rule_conditions
from eoltag.report.thumbnails import Goodness, Group, Shelf, ShelfPlan, Thumbnail, merged, shelf_for, thinned
from eoltag.spark.tables.output import Output

THUMBNAILS: Final = pa.schema(
    {
        "eolMediaURL": pa.string(),
        "model_version": pa.string(),
        "label": pa.string(),
        "confidence": pa.float32(),
        "logit": pa.float32(),
        "jpeg": pa.binary(),
    }
)
_FILE: Final = "part-0.parquet"

Kept = tuple[Thumbnail, ...]

_handed_over: dict[str, dict[Group, Goodness]] = {}
"""In a worker: by wave, the floors of what this process has handed over. Only of the wave that it works on."""


class _Merging(AccumulatorParam[Kept]):
    """Adds thumbnails by keeping the best. Adding the same ones again, as a retried task does, changes nothing."""

    def __init__(self, plan: ShelfPlan) -> None:
        self._plan = plan

    def zero(self, value: Kept) -> Kept:  # noqa: ARG002
        """None yet."""
        return ()

    def addInPlace(self, value1: Kept, value2: Kept) -> Kept:  # noqa: N802
        """The best of both."""
        return merged(self._plan, value1, value2).kept() if value1 and value2 else value1 or value2


@dataclass(frozen=True)
class ThumbnailKeeper:
    """What a worker needs to keep thumbnails, and what the driver reads them from. Travels by pickle."""

    plan: ShelfPlan
    """Of the run."""
    found: Accumulator[Kept]
    part: ShelfPlan = field(default_factory=dict)
    """Of one Spark task."""
    floors: Mapping[Group, Goodness] = field(default_factory=dict)
    wave: str = ""

    def for_wave(self, tasks: int) -> "ThumbnailKeeper":
        """In the driver: for a wave cut into so many Spark tasks. What earlier waves have bettered is not encoded."""
        floors = merged(self.plan, self.found.value).full()
        return replace(self, part=thinned(self.plan, tasks), floors=floors, wave=uuid.uuid4().hex)

    def new_shelf(self) -> Shelf:
        """In the worker: for one Spark task. What this process has bettered is not encoded either.

        A task that is tried again offers everything: what it handed over the first time may have been lost.
        """
        context = TaskContext.get()
        is_first = context is None or context.attemptNumber() == 0
        mine = _handed_over.get(self.wave, {}) if is_first else {}
        return Shelf(self.part, {**self.floors, **mine})

    def hand_over(self, shelf: Shelf) -> None:
        """In the worker: at the end of the Spark task."""
        self.found.add(shelf.kept())
        known = _handed_over.get(self.wave, {})
        _handed_over.clear()
        _handed_over[self.wave] = {**known, **shelf.full()}  # a shelf holds only what is better than its floors


def keeper_for(output: Output, tasks: list[Task], limit: int) -> ThumbnailKeeper | None:
    """Goes on from what earlier runs kept, cut down to `limit` for each task; None where no thumbnails are wanted."""
    if limit == 0:
        write_thumbnails(output, (), tasks)
        return None
    from eoltag.decide.cuts import find_cuts  # brings sqlglot, which no worker needs

    plan = {}
    for task in tasks:
        model, package = next(iter(task.packages.items()))
        cuts = find_cuts(rule_conditions(task), list(task.packages))
        plan[task.name] = shelf_for(model, package.version, len(package.card.labels), cuts, limit)
    earlier = tuple(one for task in tasks for one in read_thumbnails(output, task.name))
    known = merged(plan, earlier).kept()
    if len(known) < len(earlier):
        write_thumbnails(output, known, tasks)
    return ThumbnailKeeper(plan, output.session.sparkContext.accumulator(known, _Merging(plan)))


def trim_thumbnails(output: Output, tasks: list[Task], limit: int) -> bool:
    """Cut down what earlier runs kept to `limit` for each task; whether there was more."""
    is_over = any(len(read_thumbnails(output, task.name)) > limit for task in tasks)
    if is_over:
        keeper_for(output, tasks, limit)
    return is_over


def read_thumbnails(output: Output, task: str) -> list[Thumbnail]:
    """Those of a task; none where there are none."""
    path = output.path("thumbnails", f"task={task}", _FILE)
    if not output.files.exists(path):
        return []
    with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
        local = Path(folder) / _FILE
        output.files.download(path, local)
        rows = pq.ParquetFile(local).read().select(THUMBNAILS.names).to_pylist()
    return [Thumbnail(task, *row.values()) for row in rows]


def write_thumbnails(output: Output, kept: Kept, tasks: list[Task]) -> None:
    """Replace those of each task by these; a task without any has no table."""
    for task in tasks:
        mine = [one for one in kept if one.task == task.name]
        if not mine:
            output.files.delete(output.path("thumbnails", f"task={task.name}"))
            continue
        columns = [
            [one.url for one in mine],
            [one.model_version for one in mine],
            [one.label for one in mine],
            [one.confidence for one in mine],
            [one.logit for one in mine],
            [one.jpeg for one in mine],
        ]
        with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
            local = Path(folder) / _FILE
            arrays = [pa.array(column, kind) for column, kind in zip(columns, THUMBNAILS.types, strict=True)]
            pq.write_table(pa.Table.from_arrays(arrays, schema=THUMBNAILS), local)
            output.swap_file(local, f"thumbnails/task={task.name}")
