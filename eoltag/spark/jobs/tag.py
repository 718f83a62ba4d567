"""The main job on one page: stage, plan, predict, decide, export, report."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from eoltag.decide.keeping import keeping
from eoltag.decide.task import Task, read_tasks
from eoltag.errors import ExitCode
from eoltag.publish.guards import Limits
from eoltag.report import Changes, Summary, plan_text, summary_text
from eoltag.report.metrics import write_metrics
from eoltag.spark.decide.checking import check_task
from eoltag.spark.decide.decision import begin_change, is_decided, leave
from eoltag.spark.decide.fired import rules_over
from eoltag.spark.decide.rules import facts_of
from eoltag.spark.jobs.deciding import decide_tasks
from eoltag.spark.predict.inputs import bundle_digests, find_bundles, keep_bundles, remembering, stage_bundles
from eoltag.spark.predict.plan import Plan, make_plan, packages_of
from eoltag.spark.predict.remote import fetch_package
from eoltag.spark.predict.waves import estimated_s, run_waves
from eoltag.spark.predict.work import Progress, work_of
from eoltag.spark.predict.workers import choose_engine, tag_worker
from eoltag.spark.publish.publishing import Published, lapse_where_drifted, publish
from eoltag.spark.publish.versions import read_current
from eoltag.spark.report.counts import summarise
from eoltag.spark.report.page_data import ask_tables, has_page, write_report
from eoltag.spark.report.views import has_views, refresh_views
from eoltag.spark.requests import TagRequest
from eoltag.spark.runtime.command import complain, show
from eoltag.spark.runtime.session import open_session, prepare_for
from eoltag.spark.tables.bundles import rows_at_most
from eoltag.spark.tables.lock import locked, unchanged
from eoltag.spark.tables.models import record_models
from eoltag.spark.tables.output import open_output
from eoltag.spark.tables.runs import (
    DONE,
    NOTHING_TO_DO,
    RUNNING,
    Run,
    is_last_unfinished,
    notes_of,
    record_of,
    write_record,
)
from eoltag.spark.tables.thumbnails import share_thumbnails, trim_thumbnails

__all__ = ["tag_bundles"]

DECIDING_S: Final = 0.00003
PUBLISHING_S: Final = 0.000025
"""For each row, on two cores; see `make bench-decide`. Steps that take less than a second are said to take 0."""

_log: Final = logging.getLogger(__name__)


def tag_bundles(request: TagRequest) -> ExitCode:
    """Tag the images of the requested bundles. Raises UsageError before anything is written."""
    started = time.monotonic()
    _log.info("reading tasks and bundles")
    tasks = read_tasks(request.tasks, request.root, request.models, fetch_package)
    tasks = [keeping(task, request.keep or ()) for task in tasks]
    with TemporaryDirectory(prefix="eoltag-", ignore_cleanup_errors=True) as folder:
        files = find_bundles(request, Path(folder))
        staged = stage_bundles(request, tasks, files, Path(folder) / "rows", is_first=True)
        bundles = f"{len(staged.bundles):,} {'bundle' if len(staged.bundles) == 1 else 'bundles'}"
        _log.info("%s rows of %s", f"{staged.rows:,}", bundles)
        run = Run(open_output(open_session("eoltag"), request.output), tasks, staged, request)
        run = remembering(run, files, Path(folder) / "rows_again")
        _check(run)
        if request.is_dry_run:
            return _show_plan(run)
        with locked(run.output, request.settings.run.lock_stale_s):
            summary = _tag(run, started)
            drifted = [line for task in tasks for line in _drift(run, task, summary)]
            published = _publish(run) if request.is_publishing and not _is_over(request, summary) else None
    return _end(run, summary, published, drifted)


def _is_over(request: TagRequest, summary: Summary) -> bool:
    return summary.failure_rate > request.settings.run.max_failure_rate


def _end(run: Run, summary: Summary, published: Published | None, drifted: Sequence[str]) -> ExitCode:
    """Show what a run has done, and why its exit code is not 0. drifted: a sentence for each thing that has."""
    request, document, text = run.request, summary.as_dict(), summary_text(summary)
    if published is not None:
        document["publication"], text = published.document(), f"{text}\n{published.text(run.output)}"
    show(document, text, as_json=request.as_json)
    code = published.exit_code if published is not None else ExitCode.DONE
    code = ExitCode.REFUSED if drifted else code
    code = ExitCode.TOO_MANY_FAILURES if _is_over(request, summary) else code
    if request.metrics is not None:
        write_metrics(summary, code, request.metrics)
    for line in drifted:
        complain(line, code)
    if _is_over(request, summary):
        allowed = request.settings.run.max_failure_rate
        complain(f"{summary.failure_rate:.1%} of the rows failed, {allowed:.1%} are allowed", code)
    return code


def _publish(run: Run) -> Published:
    """Let readers have these tags, where no guard refuses."""
    settings = run.request.settings.publish
    return publish(run.output, run.tasks, settings, Limits(settings.max_flip_rate, settings.max_failure_rate))


def _drift(run: Run, task: Task, summary: Summary) -> list[str]:
    return lapse_where_drifted(run.output, task, summary.drift.get(task.name, {}), "the run before")


def _check(run: Run) -> None:
    """Refuse what can be refused before any image is fetched. Raises UsageError."""
    _log.info("checking rules and models")
    session = run.output.session
    for task in run.tasks:
        check_task(session, task)
        for package in task.packages.values():
            choose_engine(package, run.request.settings.engine, session.sparkContext.getConf())
    prepare_for(session, run.staged.rows + rows_at_most(run.output))


def _show_plan(run: Run) -> ExitCode:
    """Print what a run would do."""
    with unchanged(run.output):
        plan = make_plan(run)
        rules = rules_over(plan.rows, facts_of(run.output), run.tasks)
    counts = {**asdict(plan.counts), "estimated_s": estimated_s(run, plan)}
    steps = steps_after(run) if run.request.is_publishing else []
    text = "\n".join([plan_text(counts, rules, notes_of(run)), *(f"then: {step}" for step in steps)])
    show({**counts, "rules": rules, "steps": steps}, text, as_json=run.request.as_json)
    return ExitCode.DONE


def steps_after(run: Run) -> list[str]:
    """What a run that publishes does when images are tagged, and about how long each step takes."""
    current, settings = read_current(run.output), run.request.settings.publish
    beside = f"hold it against publication {current.version}" if current is not None else "as the first publication"
    rows = run.staged.rows * len(run.tasks)
    return [
        f"decide {rows:,} rows and write their files, about {rows * DECIDING_S:.0f} s",
        f"publish, {beside} ({settings.max_flip_rate:.0%} of the tags of a task may differ), about "
        f"{rows * PUBLISHING_S:.0f} s",
        "write the page report/index.html",
    ]


def _tag(run: Run, started: float) -> Summary:
    """Do what there is to do, and record it. started: time.monotonic() at the start of the job."""
    output, tasks, digests, has_delta = run.output, run.tasks, bundle_digests(run), run.request.has_delta
    record, notes = record_of(run), notes_of(run)
    is_mending = is_last_unfinished(output)
    write_record(output, {**record, "status": RUNNING})
    _log.info("looking up what is known")
    known = make_plan(run) if all(is_decided(output, task, digests) for task in tasks) else None
    is_idle = known is not None and known.is_empty
    plan, progress = (known, Progress()) if known and is_idle else _predict(run, known)
    changes: Mapping[str, Changes | None]
    if is_idle:
        notes.insert(0, NOTHING_TO_DO)
        changes, shown = {task.name: leave(output, task, has_delta=has_delta) for task in tasks}, None
    else:
        changes, shown = decide_tasks(output, tasks, digests, has_delta=has_delta)
    if not is_idle or is_mending or not has_views(output):
        refresh_views(output)
    _log.info("counting")
    summary = summarise(output, tasks, run.staged.bundles, started, work_of(plan, progress), notes)
    summary = summary.with_changes(changes, has_delta=has_delta)
    record |= {"plan": asdict(plan.counts), "summary": summary.as_dict()}
    write_record(output, {**record, "status": RUNNING})  # with what the page says of this run
    is_trimmed = trim_thumbnails(output, tasks, run.request.settings.run.thumbnails) if is_idle else False
    if shown is not None or is_mending or is_trimmed or not has_page(output):
        write_report(output, shown or ask_tables(output))
    write_record(output, {**record, "status": DONE})
    return summary


def _predict(run: Run, plan: Plan | None) -> tuple[Plan, Progress]:
    """Answer what no earlier run has answered; workers start while the plan is made."""
    output, tasks = run.output, run.tasks
    for task in tasks:
        begin_change(output, task, run.staged.bundles)
    record_models(output, list(packages_of(tasks).values()))
    with tag_worker(run) as worker:
        plan = plan or make_plan(run)
        keep_bundles(run, plan.rows)
        progress = run_waves(run, plan, worker)
        if worker.counters.broken.value:  # kept copies that cannot be read: their images are fetched
            progress.merge(run_waves(run, make_plan(run, without=["pixels"]), worker))
    share_thumbnails(output, tasks, run.request.settings.run.thumbnails)
    return plan, progress
