"""The table thumbnails/task=T: the best of what the Spark tasks of all waves and runs have kept for the report."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from eoltag.decide.task import Task, rule_conditions
from eoltag.report.thumbnails import Picture
from eoltag.report.top_k import Collector, Thumbnail, ThumbnailPlans, plan_thumbnails
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
TABLE: Final = "thumbnails"
_FILE: Final = "part-0.parquet"


def plans_of(tasks: Sequence[Task], limit: int) -> ThumbnailPlans:
    """What is kept for each task, at most `limit` thumbnails; no plan where none are wanted."""
    from eoltag.decide.cuts import find_cuts  # brings sqlglot, which no worker needs

    plans = {}
    for task in tasks if limit else ():
        model, package = next(iter(task.packages.items()))
        cuts = find_cuts(rule_conditions(task), list(task.packages))
        plans[task.name] = plan_thumbnails(model, package.version, len(package.card.labels), cuts, limit)
    return plans


def worker_rows(thumbnails: Iterable[Thumbnail]) -> list[dict[str, Any]]:
    """Rows of the worker's output (schemas.WORKER_OUTPUT) that hold thumbnails."""
    return [{"table": TABLE, "task": one.task, **_row(one)} for one in thumbnails]


def best_thumbnails(
    output: Output, tasks: Sequence[Task], limit: int, found: DataFrame | None = None
) -> list[Thumbnail]:
    """The best of those that tasks have, and of `found`.

    found: worker_rows of a wave. They come one partition at a time, and only the best of them are held.
    """
    plans = plans_of(tasks, limit)
    collector = Collector(plans)
    seen = set()
    for row in found.select("task", *THUMBNAILS.names).toLocalIterator(prefetchPartitions=True) if found else ():
        collector.add(_thumbnail(*row))
        seen.add((row.task, row.eolMediaURL))
    for task in tasks:
        kept = read_thumbnails(output, task.name) or _of_other_tasks(output, task.name, plans)
        for one in kept:
            if (one.task, one.url) not in seen:  # a later thumbnail of the same image takes its place
                collector.add(one)
    return collector.thumbnails()


def replace_thumbnails(output: Output, tasks: Sequence[Task], best: Sequence[Thumbnail]) -> None:
    """Give each task these in place of what it has; a task without any has no table."""
    for task in tasks:
        _write(output, task.name, sorted((one for one in best if one.task == task.name), key=lambda one: one.url))


def share_thumbnails(output: Output, tasks: Sequence[Task], limit: int) -> None:
    """Give a new task the thumbnails that others have of the same model: none of its images may have been read."""
    new = [task for task in tasks if not output.files.parts(output.path(TABLE, f"task={task.name}"))]
    if new and output.files.partitions(output.path(TABLE)):
        replace_thumbnails(output, new, best_thumbnails(output, new, limit))


def _of_other_tasks(output: Output, task: str, plans: ThumbnailPlans) -> list[Thumbnail]:
    """What other tasks keep of the model that the pictures of a new task are chosen by."""
    if task not in plans:
        return []
    found: dict[str, Thumbnail] = {}
    for folder in output.files.partitions(output.path(TABLE)):
        for one in read_thumbnails(output, folder.removeprefix("task=")):
            if one.model_version == plans[task].version:
                found[one.url] = replace(one, task=task)
    return list(found.values())


def trim_thumbnails(output: Output, tasks: Sequence[Task], limit: int) -> bool:
    """Cut down what earlier runs kept to `limit` for each task; whether there was more."""
    is_over = any(len(read_thumbnails(output, task.name)) > limit for task in tasks)
    if is_over:
        replace_thumbnails(output, tasks, best_thumbnails(output, tasks, limit))
    return is_over


def read_thumbnails(output: Output, task: str) -> list[Thumbnail]:
    """The thumbnails of a task; none where it has no table."""
    path = output.path("thumbnails", f"task={task}", _FILE)
    if not output.files.exists(path):
        return []
    with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
        local = Path(folder) / _FILE
        output.files.download(path, local)
        rows = pq.ParquetFile(local).read().select(THUMBNAILS.names).to_pylist()
    return [_thumbnail(task, *row.values()) for row in rows]


def _write(output: Output, task: str, thumbnails: Sequence[Thumbnail]) -> None:
    if not thumbnails:
        output.files.delete(output.path("thumbnails", f"task={task}"))
        return
    with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
        local = Path(folder) / _FILE
        pq.write_table(pa.Table.from_pylist([_row(one) for one in thumbnails], THUMBNAILS), local)
        output.upload_file(local, f"thumbnails/task={task}/{_FILE}")


def _row(one: Thumbnail) -> dict[str, Any]:
    """The columns of THUMBNAILS."""
    said = (one.url, one.model_version, one.label, one.confidence, one.logit)
    return dict(zip(THUMBNAILS.names, (*said, one.picture.encode()), strict=True))


def _thumbnail(
    task: str, url: str, version: str, label: str, confidence: float, logit: float, jpeg: bytes
) -> Thumbnail:
    return Thumbnail(task, url, version, label, confidence, logit, Picture.of_jpeg(bytes(jpeg)))
