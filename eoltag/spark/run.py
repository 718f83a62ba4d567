"""The jobs, step by step: what can be refused is refused first, then rows, plan, waves, decision, summary."""

import platform
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag import __version__
from eoltag.bundle import sibling_of
from eoltag.decide import Task, read_tasks
from eoltag.errors import BundleError, ExitCode, OutputError
from eoltag.records import Outcome
from eoltag.report import Summary, plan_text, summary_text
from eoltag.settings import Settings
from eoltag.sources import Staged, is_remote, local_files, stage
from eoltag.spark.command import show
from eoltag.spark.deciding import check_task, tag_rows
from eoltag.spark.files import Files
from eoltag.spark.plan import Redo, count, images, to_do, with_models
from eoltag.spark.schemas import IDENTITY, ROWS
from eoltag.spark.session import open_session
from eoltag.spark.tables import Output
from eoltag.spark.waves import choose_engine, run_waves, slots_of


@dataclass(frozen=True, slots=True)
class TagRequest:
    """What the command line of jobs/tag_bundles.py asks for."""

    bundles: list[str]
    tasks: list[str]
    output: str
    settings: Settings
    root: Path
    """The project's folder, where conf/tasks lies."""
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    retry_failed: bool = False
    refresh_older_than_days: float | None = None
    is_dry_run: bool = False
    is_quiet: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class DecideRequest:
    """What the command line of jobs/decide_tags.py asks for."""

    tasks: list[str]
    output: str
    root: Path
    as_json: bool = False


def tag_bundles(request: TagRequest) -> ExitCode:
    """The main job. Raises UsageError before anything is written."""
    started = time.monotonic()
    tasks = read_tasks(request.tasks, request.root)
    with _driver_folder() as folder:
        session: SparkSession | None = None
        if any(is_remote(argument) for argument in request.bundles):
            session = open_session("eoltag")
        staged = _stage(request, folder, session)
        session = session or open_session("eoltag")
        for task in tasks:
            check_task(session, task)
        for task in tasks:
            for package in task.packages.values():
                choose_engine(package, request.settings.engine, session.sparkContext)
        output = _output(session, request.output)
        if request.is_dry_run:
            return _dry_run(request, tasks, staged, output)
        output.begin()
        try:
            summary = _tag(request, tasks, staged, output, started)
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
    output = _output(session, request.output)
    rows = {task.name: output.bundles(task.name) for task in tasks}
    output.begin()
    try:
        for task in tasks:
            _decide(output, task)
        bundles = sorted(
            {row["bundle"] for frame in rows.values() for row in frame.select("bundle").distinct().collect()}
        )
        summary = _summarise(output, tasks, bundles, started, images_fetched=0)
    finally:
        output.end()
    show(summary.as_dict(), summary_text(summary), as_json=request.as_json)
    return ExitCode.DONE


def _tag(request: TagRequest, tasks: list[Task], staged: Staged, output: Output, started: float) -> Summary:
    began_at = datetime.now(UTC)
    document = _run_document(request, tasks, staged, output, began_at)
    output.write_run({**document, "status": "running"})
    rows = _bundle_rows(request, staged, output)
    planned = _write(_planned(request, tasks, rows, output), output, "plan")
    counts = count(planned)
    for task in tasks:
        output.replace_bundles(rows.select(*IDENTITY), task.name)
    work = _write(to_do(planned), output, "to_do")
    speed = run_waves(output, work, tasks, request.settings, is_quiet=request.is_quiet)
    for task in tasks:
        _decide(output, task)
    summary = _summarise(output, tasks, staged.bundles, started, images_fetched=_fetched(output) if speed.images else 0)
    notes = list(staged.notes)
    if staged.skipped_lines:
        notes.append(f"{staged.skipped_lines:,} blank or comment lines skipped")
    summary = replace(summary, known=counts.known, notes=notes)
    output.write_run({**document, "status": "done", "plan": asdict(counts), "summary": summary.as_dict()})
    return summary


def _dry_run(request: TagRequest, tasks: list[Task], staged: Staged, output: Output) -> ExitCode:
    """Plan in the driver's own folder, so that nothing is written to the output."""
    is_new = not output.files.exists(output.root)
    try:
        rows = _bundle_rows(request, staged, output)
        plan = asdict(count(_planned(request, tasks, rows, output)))
    finally:
        output.end()
        if is_new:
            output.files.delete(output.root)
    show(plan, plan_text(plan), as_json=request.as_json)
    return ExitCode.DONE


def _stage(request: TagRequest, folder: Path, session: SparkSession | None) -> Staged:
    def fetch_remote(pattern: str, target: Path) -> list[tuple[str, Path]]:
        assert session is not None
        files = Files(session)
        found = []
        try:
            for path in files.matches(pattern):
                local = target / f"remote-{len(list(target.iterdir()))}"
                files.download(path, local)
                found.append((path, local))
        except OSError as problem:
            raise BundleError(f"{pattern}: cannot be read ({problem})") from problem
        if not found:
            raise BundleError(f"{pattern}: no such bundle")
        return found

    files = local_files(request.bundles, folder, request.settings.fetch, fetch_remote if session else None)
    return stage(files, folder / "rows.parquet", request.limit)


def _bundle_rows(request: TagRequest, staged: Staged, output: Output) -> DataFrame:
    """The staged rows where executors can read them, sampled, with the columns of sibling breakdowns filled in."""
    target = f"{output.staging}/rows.parquet"
    output.files.upload(staged.path, target)
    rows = output.session.read.schema(ROWS).parquet(target)
    if request.sample is not None:
        order = F.xxhash64(F.lit(request.seed), "bundle", "bundle_row")
        rows = rows.orderBy(order, "bundle", "bundle_row").limit(request.sample)
    return with_siblings(rows, staged.bundles)


def with_siblings(rows: DataFrame, bundles: list[str]) -> DataFrame:
    """Rows of download lists with the columns of their breakdown, where it is among `bundles`: join on eolMediaURL."""
    pairs = [(name, sibling) for name in bundles if (sibling := sibling_of(name)) in bundles]
    if not pairs:
        return rows
    names = ("identifier", "dataObjectVersionID", "ancestry")
    siblings = F.create_map(*[F.lit(text) for pair in pairs for text in pair])
    known = (
        rows.where(F.col("bundle").isin([sibling for _, sibling in pairs]) & F.col("is_usable"))
        .groupBy(F.col("bundle").alias("sibling"), F.col("eolMediaURL").alias("sibling_url"))
        .agg(F.min_by(F.struct(*names), "bundle_row").alias("given"))
    )
    same = (siblings[F.col("bundle")] == F.col("sibling")) & (F.col("eolMediaURL") == F.col("sibling_url"))
    filled = {name: F.coalesce(F.col(name), F.col("given")[name]) for name in names}
    return rows.join(known, on=same, how="left").withColumns(filled).select(*ROWS.fieldNames())


def _planned(request: TagRequest, tasks: list[Task], rows: DataFrame, output: Output) -> DataFrame:
    days = request.refresh_older_than_days
    before = None if days is None else datetime.now(UTC) - timedelta(days=days)
    redo = Redo(failed=request.retry_failed, before=before)
    return with_models(images(rows), output.predictions(), slots_of(tasks), redo)


def _write(frame: DataFrame, output: Output, name: str) -> DataFrame:
    """The frame once on disk, so that later steps read it and do not compute it again."""
    path = f"{output.staging}/{name}"
    if "bucket" in frame.columns:
        frame = frame.repartitionByRange("bucket").sortWithinPartitions("bucket")
    frame.write.mode("overwrite").parquet(path)
    return output.session.read.schema(frame.schema).parquet(path)


def _decide(output: Output, task: Task) -> None:
    output.replace_tags(tag_rows(output.bundles(task.name), output.predictions(), task), task.name)
    output.export_tsv(task)


def _fetched(output: Output) -> int:
    predictions = output.predictions()
    if predictions is None:
        return 0
    asked = predictions.where((F.col("run_id") == output.run_id) & (F.col("outcome") != Outcome.BAD_URL.value))
    return int(asked.select(F.count_distinct("eolMediaURL")).collect()[0][0])


def _summarise(output: Output, tasks: list[Task], bundles: list[str], started: float, images_fetched: int) -> Summary:
    """Counts of the written tags, over the bundles of this run."""
    tags: dict[str, dict[str, int]] = {}
    outcomes: DataFrame | None = None
    for task in tasks:
        rows = output.tags(task.name).where(F.col("bundle").isin(bundles))
        counted = rows.where(F.col("tag").isNotNull()).groupBy("tag").count().orderBy("tag").collect()
        tags[task.name] = {row["tag"]: row["count"] for row in counted}
        reasons = rows.select("bundle", "bundle_row", F.coalesce("outcome", F.lit("pending")).alias("outcome"))
        outcomes = reasons if outcomes is None else outcomes.unionByName(reasons)
    assert outcomes is not None
    failed_first = F.struct((F.col("outcome") == Outcome.OK.value).alias("is_ok"), "outcome")
    per_row = outcomes.groupBy("bundle", "bundle_row").agg(F.min_by("outcome", failed_first).alias("outcome"))
    counts = {row["outcome"]: row["count"] for row in per_row.groupBy("outcome").count().orderBy("outcome").collect()}
    seconds = time.monotonic() - started
    return Summary(
        run_id=output.run_id,
        rows_in=sum(counts.values()),
        ok=counts.pop(Outcome.OK.value, 0),
        failed=counts,
        tags=tags,
        seconds=round(seconds, 3),
        images_per_s=round(images_fetched / seconds, 2),
        output=output.root.removeprefix("file:"),
        images_fetched=images_fetched,
        bundles=bundles,
    )


def _run_document(
    request: TagRequest, tasks: list[Task], staged: Staged, output: Output, began_at: datetime
) -> dict[str, Any]:
    """What ran, for whoever reads the tables in a year."""
    context = output.session.sparkContext
    return {
        "run_id": output.run_id,
        "started_at": began_at.isoformat(),
        "eoltag": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("pyspark", "openvino", "pillow", "aiohttp", "pyarrow")},
        "spark_master": context.master,
        "bundle_arguments": request.bundles,
        "bundles": staged.bundles,
        "rows": staged.rows,
        "skipped_lines": staged.skipped_lines,
        "notes": staged.notes,
        "limit": request.limit,
        "sample": request.sample,
        "seed": request.seed,
        "retry_failed": request.retry_failed,
        "refresh_older_than_days": request.refresh_older_than_days,
        "settings": request.settings.model_dump(mode="json"),
        "tasks": {
            task.name: {
                "file": str(task.path),
                "content": task.file.model_dump(mode="json"),
                "models": {name: package.version for name, package in task.packages.items()},
            }
            for task in tasks
        },
    }


def _output(session: SparkSession, path: str) -> Output:
    """The directory for a new run, found fit for it. Raises OutputError."""
    try:
        root = Files(session).absolute(path)
    except OSError as problem:
        raise OutputError(f"{path}: cannot be used ({problem})") from problem
    output = Output(session, root, _run_id())
    output.check()
    return output


def _run_id() -> str:
    """Sorts by time; the tail keeps two runs of one second apart."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@contextmanager
def _driver_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="eoltag-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
