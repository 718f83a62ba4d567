"""What changed between two runs, or between two versions of a model: which tags flipped. Touches no image."""

import csv
import json
import logging
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.keeping import keeping
from eoltag.decide.task import Task, TaskFile, bundle_columns, read_tasks
from eoltag.errors import ExitCode, OutputError
from eoltag.model.package import Package
from eoltag.records import parted
from eoltag.settings import parse
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.rules import Facts, facts_of, tag_rows
from eoltag.spark.predict.remote import fetch_package
from eoltag.spark.requests import DiffRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session
from eoltag.spark.tables.bundles import read_bundles
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.models import read_models
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.tables.runs import did_nothing
from eoltag.spark.tables.tags import in_one_order

_log: Final = logging.getLogger(__name__)
RUN: Final = re.compile(r"^\d{8}T\d{6}\.\d{3}Z-[0-9a-f]+$")
KEYS: Final = ("bundle", "bundle_row")
IMAGE: Final = ("eolMediaURL", "identifier", "dataObjectVersionID")
COMPARED: Final = ("tag", "rule", "outcome", "label", "confidence", "model_version")
SHOWN: Final = 20
"""Kinds of flips in the text; --json has all."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared."""

    name: str
    task: Task
    """The task with the rules and model versions of that side."""
    until: str | None
    """The last run whose facts count; None for all."""


def diff_runs(request: DiffRequest) -> ExitCode:
    """Prints what changed. Raises UsageError."""
    [task] = read_tasks([request.task], request.root, request.models, fetch_package)
    session = open_session("eoltag diff")
    check_task(session, task)
    output = open_output(session, request.output)
    task = keeping(task, read_note(output, task.name).kept)
    facts = facts_of(output)
    if facts.scores is None:
        raise OutputError(f"{output.root}: holds no scores; run jobs/tag_bundles.py first")
    old, new = sides(output, task, request.old, request.new)
    _log.info("comparing %s with %s", old.name, new.name)
    changed = compare(_rows_of_both(output, old, new), facts, old, new).cache()
    try:
        document = {"task": task.name, "old": described(old), "new": described(new), **counted(changed)}
        if task.file.multiple:
            document["tags"] = counted_by_tag(changed)
        if request.csv is not None:
            document["csv"] = str(request.csv)
            write_csv(changed.where("is_flip").orderBy(*KEYS), request.csv)
    finally:
        changed.unpersist()
    show(document, text_of(document), as_json=request.as_json)
    return ExitCode.DONE


def sides(output: Output, task: Task, old: str | None, new: str | None) -> tuple[Side, Side]:
    """Both as named, by default the last two runs of the task that did anything. Raises OutputError."""
    if old is None or new is None:
        records = {name: _run(output, name) for name in _runs(output)}
        had = [name for name, record in records.items() if task.name in record.get("tasks", {})]
        runs = [name for name in had if not did_nothing(records[name])]
        earlier = [run for run in runs if new is None or not RUN.match(new) or run < new]
        new_run = new or (runs[-1] if runs else None)
        old_run = old or next((run for run in reversed(earlier) if run != new_run), None)
        if old_run is None or new_run is None:
            raise OutputError(
                f"{output.root}: two runs of task '{task.name}' were wanted, to compare. "
                f"Received: {len(runs)} that did something"
            )
        old, new = old_run, new_run
    return _side(output, task, old), _side(output, task, new)


def compare(bundles: DataFrame, facts: Facts, old: Side, new: Side) -> DataFrame:
    """Every bundle row once: the image, old_tag, new_tag, ... of COMPARED, and is_flip."""
    before, after = (_tagged(bundles, facts, side) for side in (old, new))
    left = before.select(*KEYS, *IMAGE, *[F.col(name).alias(f"old_{name}") for name in COMPARED])
    right = after.select(*KEYS, *[F.col(name).alias(f"new_{name}") for name in COMPARED])
    tags = [in_one_order(F.col(f"{name}_tag"), side.task) for name, side in (("old", old), ("new", new))]
    return left.join(right, on=list(KEYS), how="inner").withColumn("is_flip", ~tags[0].eqNullSafe(tags[1]))


def counted(changed: DataFrame) -> dict[str, Any]:
    """Rows by what became of them, and flips by (old tag, new tag)."""
    groups = changed.groupBy("old_tag", "new_tag", "old_outcome", "new_outcome", "is_flip").count().collect()
    flips: Counter[tuple[str | None, str | None]] = Counter()
    outcomes: Counter[tuple[str | None, str | None]] = Counter()
    for old_tag, new_tag, old_outcome, new_outcome, is_flip, rows in groups:
        if is_flip:
            flips[old_tag, new_tag] += rows
        if old_outcome != new_outcome:
            outcomes[old_outcome, new_outcome] += rows
    rows = sum(group[-1] for group in groups)
    return {
        "rows": rows,
        "same": rows - flips.total(),
        "flipped": sum(number for (old, new), number in flips.items() if old is not None and new is not None),
        "gained": sum(number for (old, _), number in flips.items() if old is None),
        "lost": sum(number for (_, new), number in flips.items() if new is None),
        "flips": [{"old": old, "new": new, "rows": number} for (old, new), number in flips.most_common()],
        "outcomes": [{"old": old, "new": new, "rows": number} for (old, new), number in outcomes.most_common()],
    }


def counted_by_tag(changed: DataFrame) -> list[dict[str, Any]]:
    """Of a task with several tags an image: each tag, the rows that had it, that have it, that got it and lost it."""
    found: dict[str, Counter[str]] = {}
    for old, new, rows in changed.groupBy("old_tag", "new_tag").count().collect():
        had, has = set(parted(old)), set(parted(new))
        for tag in had | has:
            counts = found.setdefault(tag, Counter(old=0, new=0, gained=0, lost=0))
            counts.update(old=rows * (tag in had), new=rows * (tag in has))
            counts.update(gained=rows * (tag not in had), lost=rows * (tag not in has))
    return [{"tag": tag, **found[tag]} for tag in sorted(found)]


def write_csv(flips: DataFrame, path: Path) -> None:
    """A line for each row whose tag differs. Raises OutputError."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            columns = [name for name in flips.columns if name != "is_flip"]
            writer.writerow(columns)
            for row in flips.select(*columns).toLocalIterator():
                writer.writerow(["" if value is None else value for value in row])
    except OSError as problem:
        raise OutputError(f"--csv {path}: cannot be written ({problem.strerror or problem})") from problem


def described(side: Side) -> dict[str, Any]:
    """One side, for the document."""
    return {"name": side.name, "models": {name: package.version for name, package in side.task.packages.items()}}


def text_of(document: dict[str, Any]) -> str:
    """The comparison as text, for a person."""
    old, new = document["old"], document["new"]
    lines = [
        f"task {document['task']}: {old['name']} -> {new['name']}",
        *(f"  model {name}: {version} -> {new['models'][name]}" for name, version in old["models"].items()),
        f"rows     {document['rows']:>12,}",
        f"same     {document['same']:>12,}",
        f"flipped  {document['flipped']:>12,}",
        f"gained   {document['gained']:>12,}   had no tag before",
        f"lost     {document['lost']:>12,}   have none now",
    ]
    lines += [
        f"  tag {one['tag']}: {one['old']:,} -> {one['new']:,} ({one['gained']:,} gained, {one['lost']:,} lost)"
        for one in document.get("tags", [])
    ]
    lines += [
        f"  {flip['old'] or '(none)'} -> {flip['new'] or '(none)'}: {flip['rows']:,}"
        for flip in document["flips"][:SHOWN]
    ]
    lines += [
        f"  outcome {flip['old'] or '(none)'} -> {flip['new'] or '(none)'}: {flip['rows']:,}"
        for flip in document["outcomes"][:SHOWN]
    ]
    return "\n".join([*lines, *([f"rows that differ: {document['csv']}"] if "csv" in document else [])])


def _rows_of_both(output: Output, old: Side, new: Side) -> DataFrame:
    """The bundle rows with the columns that either side reads of them; NULL where no run has kept one."""
    columns = {column.lower(): column for side in (old, new) for column in bundle_columns(side.task).values()}
    return read_bundles(output, new.task.name, columns.values(), columns.keys())


def _tagged(bundles: DataFrame, facts: Facts, side: Side) -> DataFrame:
    return tag_rows(bundles, facts.until(side.until), side.task).select(*KEYS, *IMAGE, *COMPARED)


def _side(output: Output, task: Task, name: str) -> Side:
    """A run, or a model version that the task had in some run. Raises OutputError."""
    if RUN.match(name):
        return _side_of_run(output, task, name)
    model_of = {version: model for model, package in task.packages.items() for version in [package.version]}
    for run in _runs(output):
        models = _run(output, run).get("tasks", {}).get(task.name, {}).get("models", {})
        model_of |= {version: model for model, version in models.items() if model in task.packages}
    if name not in model_of:
        raise OutputError(
            f"{output.root}: {name!r} is neither a run (runs/NAME.json) nor a model version of task '{task.name}'; "
            f"versions: {', '.join(sorted(model_of)) or 'none'}"
        )
    model = model_of[name]
    return Side(
        name, replace(task, packages={**task.packages, model: _as_it_was(output, task.packages[model], name)}), None
    )


def _as_it_was(output: Output, package: Package, version: str) -> Package:
    """The package of another version: its labels and temperature are those that its scores were made with."""
    record = read_models(output).get(version)
    if record is None:
        return replace(package, version=version)
    known = {"labels": record.labels, "temperature": record.temperature, "output_kind": record.output_kind}
    return replace(package, version=version, card=package.card.model_copy(update=known))


def _side_of_run(output: Output, task: Task, name: str) -> Side:
    """A run's rules, model versions and facts until then. Thresholds are those of the packages now."""
    then = _run(output, name).get("tasks", {}).get(task.name)
    if then is None:
        raise OutputError(f"{output.path('runs', name)}.json: task '{task.name}' was not part of that run")
    file = parse(TaskFile, then["content"], output.path("runs", f"{name}.json"), OutputError)
    if set(file.models) != set(task.packages):
        raise OutputError(
            f"run {name}: task '{task.name}' had the models {', '.join(file.models)}; "
            f"it has {', '.join(task.packages)} now, so the two cannot be compared"
        )
    packages = {model: _as_it_was(output, package, then["models"][model]) for model, package in task.packages.items()}
    return Side(name, replace(task, file=file, packages=packages), name)


def _runs(output: Output) -> list[str]:
    """The finished runs, by time."""
    names = [name.removesuffix(".json") for name in output.files.names(output.path("runs"))]
    return sorted(name for name in names if RUN.match(name) and _run(output, name).get("status") != "running")


def _run(output: Output, name: str) -> dict[str, Any]:
    path = output.path("runs", f"{name}.json")
    try:
        document: dict[str, Any] = json.loads(output.files.read_text(path))
    except (OSError, ValueError) as problem:
        raise OutputError(f"{path}: cannot be read as a run ({problem})") from problem
    return document
