"""The state of a task that is to be published: its rows as one digest, its tags counted, its certificate."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task, rule_conditions
from eoltag.errors import OutputError
from eoltag.publish.manifest import CERTIFICATES, PublishedTask
from eoltag.spark.report.warranty import renew_certificate_page
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.facts import hash_sum
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import one_tag_a_row, read_tags

_NOT_SAID: Final = ("fetched_at",)
"""Columns that say nothing of a tag: asking a server again must not make another publication of the same tags."""


def rows_digest(rows: DataFrame) -> tuple[int, str]:
    """Number of rows, and a sum of their hashes: the same in whatever order the rows come."""
    number, total = hash_sum(rows, hashable(rows, [name for name in rows.columns if name not in _NOT_SAID]))
    return number, f"{number}:{int(total or 0):x}"


def hashable(rows: DataFrame, names: Sequence[str]) -> list[Column]:
    """Columns that a hash takes: maps, and what may hold them, as text."""
    kinds = dict(rows.dtypes)
    return [
        F.to_json(name).alias(name) if kinds[name].startswith(("map", "array", "struct")) else F.col(name)
        for name in names
    ]


def read_certificate(output: Output, task: str) -> dict[str, Any] | None:
    """What an audit of the task has found; None without one. Raises OutputError."""
    path = output.path(CERTIFICATES, f"{task}.json")
    if not output.files.exists(path):
        return None
    try:
        document = json.loads(output.files.read_text(path))
    except ValueError as problem:
        raise OutputError(f"{path}: not readable as JSON ({problem})") from problem
    if not isinstance(document, dict):
        raise OutputError(f"{path}: wanted a JSON object. Received: {type(document).__name__}")
    return document


def lapse_certificate(output: Output, task: str, reason: str) -> None:
    """From now on the certificate of a task says why it does not hold any more; nothing where there is none."""
    document = read_certificate(output, task)
    if document is not None and not document.get("lapsed"):
        output.check_lock()
        lapsed = {**document, "lapsed": reason}
        output.files.write_text(output.path(CERTIFICATES, f"{task}.json"), json.dumps(lapsed, indent=2) + "\n")
        renew_certificate_page(output, task, lapsed)


def describe_task(output: Output, task: Task) -> PublishedTask:
    """What a manifest says of a task as it is decided now."""
    note, tags = read_note(output, task.name), read_tags(output, task.name)
    rows, digest = rows_digest(tags)
    counted = one_tag_a_row(tags, task).where(F.col("tag").isNotNull()).groupBy("tag").count().orderBy("tag").collect()
    return PublishedTask(
        rows=rows,
        tags={tag: int(number) for tag, number in counted},
        models={name: package.version for name, package in task.packages.items()},
        content=task.file.model_dump(mode="json"),
        conditions=dict(rule_conditions(task)),
        bundles=sorted(note.bundles),
        decided_by=note.run_id,
        tags_digest=digest,
        certificate=read_certificate(output, task.name),
    )


def state_of(published: Mapping[str, PublishedTask], files: Sequence[Mapping[str, str]], said: Sequence[str]) -> str:
    """A digest of all that makes one publication differ from another.

    files: path -> sha256 of the exported files of each task. said: title, licence and publisher.
    """
    tasks = {
        name: [task.tags_digest, task.models, task.content, task.conditions, task.certificate]
        for name, task in published.items()
    }
    content = json.dumps([tasks, list(files), list(said)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
