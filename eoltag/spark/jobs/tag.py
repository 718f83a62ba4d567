"""The jobs, step by step: what can be refused is refused first, then rows, plan, waves, decision, summary."""

import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.bundle.staging import Staged, is_remote, local_files, stage
from eoltag.decide.task import Task, read_tasks
from eoltag.errors import ExitCode, OutputError
from eoltag.report import Flips, Summary, flips_text, page_text, plan_text, summary_text
from eoltag.spark.decide.checking import check_task, naming_the_rule
from eoltag.spark.decide.flips import flips_of
from eoltag.spark.decide.rules import retag_rows, tag_rows
from eoltag.spark.predict.inputs import are_as_staged, bundle_rows, remote_fetcher
from eoltag.spark.predict.plan import Bucket, Counts, Redo, buckets_of, count, images, to_do, with_models
from eoltag.spark.predict.waves import choose_engine, first_speed, run_waves, slots_of, start_workers, worker_for
from eoltag.spark.report.page_data import Asked, ask, write_report
from eoltag.spark.requests import DecideRequest, ReportRequest, TagRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session, prepare_for
from eoltag.spark.state.counting import count_table
from eoltag.spark.state.known_lists import key_of, learn, may_be_known, recall
from eoltag.spark.state.summing import count_tags, summarise
from eoltag.spark.state.unchanged import (
    Digests,
    Tagged,
    confirm,
    digests_of,
    forget,
    is_in_step,
    is_unchanged,
    remember,
    tagged,
)
from eoltag.spark.tables.files import Files
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.runs import request_document, run_document
from eoltag.spark.tables.schemas import IDENTITY
from eoltag.spark.tables.thumbnails import trim_thumbnails
from eoltag.spark.tables.tsv import export_tsv


def tag_bundles(request: TagRequest) -> ExitCode:
    """The main job. Raises UsageError before anything is written."""
    started = time.monotonic()
    tasks = read_tasks(request.tasks, request.root)
    with _driver_folder() as folder:
        session: SparkSession | None = None
        if any(is_remote(argument) for argument in request.bundles):
            session = open_session("eoltag")
        files = local_files(request.bundles, folder, request.settings.fetch, remote_fetcher(session))
        lists = key_of(files) if request.is_of_whole_lists else None
        staged = None if may_be_known(request.output, lists) else stage(files, folder / "rows", request.limit)
        with ThreadPoolExecutor(1) as beside:
            if staged is not None:  # there is work, most likely
                beside.submit(import_module, "eoltag.report.page")  # which draws: half a second, while Java starts
            session = session or open_session("eoltag")
        output = open_output(session, request.output)
        known = recall(output, tasks, lists, _redo(request))
        staged = known or staged or stage(files, folder / "rows", request.limit)
        for task in tasks:
            if known is None:
                check_task(session, task)
            for package in task.packages.values():
                choose_engine(package, request.settings.engine, session.sparkContext)
        prepare_for(session, staged.rows + output.rows_at_most())
        if request.is_dry_run:
            return _dry_run(request, tasks, staged, output)
        output.begin()
        try:
            summary = _tag(request, tasks, staged, output, started)
            learn(output, tasks[0], lists, files, staged)
        finally:
            output.end()
    show(summary.as_dict(), summary_text(summary), as_json=request.as_json)
    if summary.failure_rate > request.settings.run.max_failure_rate:
        allowed = request.settings.run.max_failure_rate
        print(f"error: {summary.failure_rate:.1%} of the rows failed, {allowed:.1%} are allowed", file=sys.stderr)
        return ExitCode.TOO_MANY_FAILURES
    return ExitCode.DONE


def decide_tags(request: DecideRequest) -> ExitCode:
    """Tags and TSV files of every bundle in the output, from the stored predictions. Touches no image."""
    started = time.monotonic()
    tasks = read_tasks(request.tasks, request.root)
    session = open_session("eoltag decide")
    for task in tasks:
        check_task(session, task)
    output = open_output(session, request.output)
    for task in tasks:
        output.bundles(task.name)
    prepare_for(session, output.rows_at_most())
    if request.is_dry_run:
        return _dry_decision(request, tasks, output)
    output.begin()
    try:
        for task in tasks:
            before = tagged(output, task)
            forget(output, task)
            _decide(output, task, before)
            is_plain = _export(output, task, is_plain=before.is_plain)
            remember(output, task, None, is_plain=is_plain, counted=count_table(output, task))
        bundles = sorted({name for task in tasks for name in output.bundle_names(task.name)})
        summary = summarise(output, count_tags(output, tasks, bundles), bundles, started, images_fetched=0)
        output.write_run({**run_document(tasks, output), "job": "decide_tags", "summary": summary.as_dict()})
        write_report(output, ask(output, has_rows=False))
    finally:
        output.end()
    show(summary.as_dict(), summary_text(summary), as_json=request.as_json)
    return ExitCode.DONE


def report_tags(request: ReportRequest) -> ExitCode:
    """The page report/index.html from the tables as they are. Touches no image and no table."""
    output = open_output(open_session("eoltag report"), request.output)
    prepare_for(output.session, output.rows_at_most())
    output.begin()
    try:
        page = write_report(output, ask(output, request.tasks), is_forced=True)
    finally:
        output.end()
    show(asdict(page), page_text(page), as_json=request.as_json)
    return ExitCode.DONE


def _dry_decision(request: DecideRequest, tasks: list[Task], output: Output) -> ExitCode:
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


def _tag(request: TagRequest, tasks: list[Task], staged: Staged, output: Output, started: float) -> Summary:
    document = {**run_document(tasks, output), **request_document(request, staged)}
    output.write_run({**document, "status": "running"})
    notes = _notes(request, staged)
    counts, asked = _do(request, tasks, staged, output)
    if asked is None:
        notes.insert(0, "nothing to do: no row, rule or model is new or changed; tags and TSV files stay as they are")
    counted = count_tags(output, tasks, staged.bundles)
    summary = summarise(
        output, counted, staged.bundles, started, images_fetched=counts.images_to_fetch, known=counts.known, notes=notes
    )
    output.write_run({**document, "status": "done", "plan": asdict(counts), "summary": summary.as_dict()})
    if asked is None and trim_thumbnails(output, tasks, request.settings.run.thumbnails):
        asked = ask(output)
    if asked is not None:
        write_report(output, asked)
    return summary


def _do(request: TagRequest, tasks: list[Task], staged: Staged, output: Output) -> tuple[Counts, Asked | None]:
    """The plan, worked off, and what the report will show; None in its place where there was nothing to do."""
    if staged.is_known:
        return count([], staged.rows, staged.bad_rows), None
    rows = bundle_rows(output, staged, sample=request.sample, seed=request.seed)
    digests = staged.digests if are_as_staged(staged, request.sample) else digests_of(rows)
    counts = _counts_of_nothing(request, tasks, staged, rows, digests, output)
    if counts is not None:
        return counts, None
    is_plain = {task.name: _are_plain(output, task, staged) for task in tasks}
    counts = _work_off(request, tasks, staged, rows, output)
    with ThreadPoolExecutor(2) as beside:  # each of these leaves a core idle for much of its time
        counting = [beside.submit(count_table, output, task) for task in tasks]
        asking = beside.submit(ask, output)
        for task, counted in zip(tasks, counting, strict=True):
            exported = _export(output, task, is_plain=is_plain[task.name])
            remember(output, task, digests, is_plain=exported, counted=counted.result())
        return counts, asking.result()


def _counts_of_nothing(
    request: TagRequest, tasks: list[Task], staged: Staged, rows: DataFrame, digests: Digests, output: Output
) -> Counts | None:
    """The plan of a run that changes nothing: no model is loaded, nothing decided again. None where there is work."""
    if not is_in_step(output, tasks) or not is_unchanged(output, tasks, digests):
        return None
    if buckets := buckets_of(_to_do(request, tasks, rows, output)):
        return None
    confirm(output, tasks, digests)
    return _counts(request, staged, rows, buckets)


def _are_plain(output: Output, task: Task, staged: Staged) -> bool:
    """No identity column of any bundle of the task will hold a tab or a line break. Before the run changes anything."""
    others = set(output.bundle_names(task.name)) - set(staged.bundles)
    return staged.is_plain and (not others or tagged(output, task).is_plain)


def _work_off(request: TagRequest, tasks: list[Task], staged: Staged, rows: DataFrame, output: Output) -> Counts:
    """Plan, predict in waves, decide the tags. Workers start beside planning; the bundles are kept for the decision."""
    for task in tasks:
        forget(output, task)
    is_first = {task.name: not _has_predictions(output, task) for task in tasks}
    with worker_for(output, tasks, request.settings) as worker, ThreadPoolExecutor(2) as beside:
        started = beside.submit(start_workers, output, worker)
        kept = beside.submit(_keep, request, staged, rows, tasks, output)
        work = output.stage("to_do", _to_do(request, tasks, rows, output))
        buckets = buckets_of(work)
        counts = _counts(request, staged, rows, buckets)
        speed = first_speed(staged.hosts, request.settings.fetch)
        run_waves(output, tasks, work, buckets, worker, speed=speed, is_quiet=request.is_quiet)
        started.result()
        kept.result()
    has_versions = any(bucket.has_versions for bucket in buckets)
    for task in tasks:
        _decide(output, task, Tagged(), is_single=is_first[task.name] and not has_versions)
    return counts


def _has_predictions(output: Output, task: Task) -> bool:
    return any(output.has_predictions(task.name, package.version) for package in task.packages.values())


def _keep(request: TagRequest, staged: Staged, rows: DataFrame, tasks: list[Task], output: Output) -> None:
    """The bundles' rows for later decisions: the staged files where they are just these rows."""
    for task in tasks:
        if are_as_staged(staged, request.sample):
            for bundle in staged.bundles:
                output.upload_bundle(staged.path(bundle), bundle, task.name)
        else:
            output.replace_bundles(rows.select(*IDENTITY), task.name)


def _dry_run(request: TagRequest, tasks: list[Task], staged: Staged, output: Output) -> ExitCode:
    """The plan of a run that is not made; what it stages for Spark to read is gone afterwards."""
    is_new = not output.files.exists(output.root)
    try:
        if staged.is_known:
            plan = asdict(count([], staged.rows, staged.bad_rows))
        else:
            rows = bundle_rows(output, staged, sample=request.sample, seed=request.seed)
            buckets = buckets_of(_to_do(request, tasks, rows, output))
            plan = asdict(_counts(request, staged, rows, buckets))
    finally:
        output.end()
        if is_new:
            output.files.delete(output.root)
    show(plan, plan_text(plan, _notes(request, staged)), as_json=request.as_json)
    return ExitCode.DONE


def _to_do(request: TagRequest, tasks: list[Task], rows: DataFrame, output: Output) -> DataFrame:
    return to_do(with_models(images(rows), output.predictions(), slots_of(tasks), _redo(request)))


def _redo(request: TagRequest) -> Redo:
    days = request.refresh_older_than_days
    before = None if days is None else datetime.now(UTC) - timedelta(days=days)
    return Redo(failed=request.retry_failed, before=before)


def _counts(request: TagRequest, staged: Staged, rows: DataFrame, buckets: list[Bucket]) -> Counts:
    """A sample is counted; of whole bundles staging knows the numbers."""
    if request.sample is None:
        return count(buckets, staged.rows, staged.bad_rows)
    rows_in, usable = rows.agg(F.count(F.lit(1)), F.count_if("is_usable")).collect()[0]
    return count(buckets, rows_in, rows_in - usable)


def _decide(output: Output, task: Task, before: Tagged, *, is_single: bool = False) -> None:
    """The tags table; from the tags that are there where they suffice. is_single: as `standing` takes it."""
    with naming_the_rule(output.session, task):
        renewed = retag_rows(output.tags(task.name), task) if before.is_current else None
        if renewed is not None:
            output.renew_tags(renewed, task.name)
            return
        tags = tag_rows(output.bundles(task.name), output.predictions(), task, is_single=is_single)
        output.replace_tags(tags, task.name)


def _export(output: Output, task: Task, *, is_plain: bool) -> bool:
    """The TSV files, made of the tags table; takes and returns what export_tsv does."""
    with naming_the_rule(output.session, task):
        return export_tsv(output, task, is_plain=is_plain)


def _notes(request: TagRequest, staged: Staged) -> list[str]:
    """What may surprise."""
    notes = list(staged.notes)
    if staged.skipped_lines:
        notes.append(f"{staged.skipped_lines:,} blank or comment lines skipped")
    if request.limit is not None or request.sample is not None:
        notes.append("--limit and --sample: the bundles' tags and TSV hold only that part until a run without them")
    return notes


def open_output(session: SparkSession, path: str) -> Output:
    """The directory for a new run, found fit for it. Raises OutputError."""
    try:
        root = Files(session).absolute(path)
    except OSError as problem:
        raise OutputError(f"{path}: cannot be used ({problem})") from problem
    output = Output(session, root, _run_id())
    output.check()
    return output


def _run_id() -> str:
    """Sorts by time, to the millisecond: the latest run is the last by name. The tail keeps two machines apart."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


@contextmanager
def _driver_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="eoltag-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
