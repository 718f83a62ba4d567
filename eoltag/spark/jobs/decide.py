"""Decide again from what is stored: tags and TSV files of every bundle. Touches no image."""

import logging
import time
from typing import Final

from eoltag.decide.keeping import keeping
from eoltag.decide.task import Task, read_tasks
from eoltag.errors import ExitCode
from eoltag.report import Flips, flips_text, summary_text
from eoltag.spark.decide.checking import check_task, naming_the_rule
from eoltag.spark.decide.decision import begin_change
from eoltag.spark.decide.flips import flips_of
from eoltag.spark.jobs.deciding import decide_tasks
from eoltag.spark.predict.remote import fetch_package
from eoltag.spark.report.counts import summarise
from eoltag.spark.report.page_data import write_report
from eoltag.spark.report.views import refresh_views
from eoltag.spark.requests import DecideRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session, prepare_for
from eoltag.spark.tables.bundles import rows_at_most, rows_of
from eoltag.spark.tables.decided import bundles_of, read_note
from eoltag.spark.tables.lock import locked
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.tables.runs import DONE, RUNNING, task_record, write_record

__all__ = ["decide_tags"]

_log: Final = logging.getLogger(__name__)


def decide_tags(request: DecideRequest) -> ExitCode:
    """Decide the requested tasks again, or show what that would change. Raises UsageError."""
    started = time.monotonic()
    _log.info("reading tasks and their models")
    tasks = read_tasks(request.tasks, request.root, request.models, fetch_package)
    output = open_output(open_session("eoltag decide"), request.output)
    tasks = [keeping(task, read_note(output, task.name).kept) for task in tasks]
    for task in tasks:
        check_task(output.session, task)
        rows_of(output, task)
    prepare_for(output.session, rows_at_most(output))
    if request.is_dry_run:
        return _show_flips(request, tasks, output)
    with locked(output):
        record = {**task_record(output, tasks), "job": "decide_tags"}
        write_record(output, {**record, "status": RUNNING})
        for task in tasks:
            begin_change(output, task)
        changes, shown = decide_tasks(output, tasks, {}, has_delta=request.has_delta)
        refresh_views(output)
        bundles = sorted({name for task in tasks for name in bundles_of(output, task.name)})
        taken = [note for task in tasks for note in task.taken]
        summary = summarise(output, tasks, bundles, started, notes=taken)
        summary = summary.with_changes(changes, has_delta=request.has_delta)
        record |= {"summary": summary.as_dict()}
        write_record(output, {**record, "status": RUNNING})
        write_report(output, shown)
        write_record(output, {**record, "status": DONE})
    show(summary.as_dict(), summary_text(summary), as_json=request.as_json)
    return ExitCode.DONE


def _show_flips(request: DecideRequest, tasks: list[Task], output: Output) -> ExitCode:
    """Print which tags would change."""
    found: dict[str, Flips] = {}
    for task in tasks:
        file = request.flips
        if file is not None and len(tasks) > 1:
            file = file.with_name(f"{file.stem}_{task.name}{file.suffix}")
        with naming_the_rule(output.session, task):
            found[task.name] = flips_of(output, task, file)
    document = {"output": output.root, "tasks": {name: flips.as_dict() for name, flips in found.items()}}
    show(document, flips_text(found), as_json=request.as_json)
    return ExitCode.DONE
