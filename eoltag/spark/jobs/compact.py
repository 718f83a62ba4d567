"""Many small Parquet files of facts to few large ones: the same rows and columns, whatever happens meanwhile."""

import logging
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.errors import ExitCode, OutputError
from eoltag.spark.publish.versions import complete_versions, read_manifest
from eoltag.spark.report.views import refresh_views
from eoltag.spark.requests import SUPERSEDED, CompactRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session
from eoltag.spark.tables.decided import FOLDER as DECIDED
from eoltag.spark.tables.decided import decided_tasks, read_note
from eoltag.spark.tables.facts import FACTS, SCORES, FactTable, folder_of, has_facts, hash_sum, partitions, write_sorted
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.lock import locked
from eoltag.spark.tables.output import Output, open_output

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Compacted:
    """One partition of a table, or a table without partitions."""

    table: str
    """As its folder below the output."""
    rows: int
    """Those that stay."""
    dropped: int
    bytes: int
    files_before: int
    files_after: int


def compact_tables(request: CompactRequest) -> ExitCode:
    """Rewrites partitions of all tables of facts that have more files than their rows need. Raises UsageError."""
    output = open_output(open_session("eoltag compact"), request.output)
    found = [(table, partition) for table in FACTS for partition in partitions(output, table)]
    if not any(has_facts(output, table) for table in FACTS):
        raise OutputError(f"{output.root}: holds no tables; run jobs/tag_bundles.py first")
    if request.is_dry_run:
        done = [_planned(output, *one, request) for one in found]
    else:
        with locked(output):
            done = [compact(output, *one, request) for one in found]
            refresh_views(output)
    document = {"output": output.root, "dry_run": request.is_dry_run, "partitions": [asdict(one) for one in done]}
    show(document, _text(output.root, done, is_dry_run=request.is_dry_run), as_json=request.as_json)
    return ExitCode.DONE


def compact(output: Output, table: FactTable, partition: str | None, request: CompactRequest) -> Compacted:
    """The partition in as few files as its rows need, if it has more, without the rows that are to be dropped.

    Raises OutputError where the copy differs.

    The copy is made beside, read again and compared; then it changes places with the old files.
    """
    planned = _planned(output, table, partition, request)
    _log.info(
        "%s: %s rows, %s to %s files", planned.table, f"{planned.rows:,}", planned.files_before, planned.files_after
    )
    if planned.files_after >= planned.files_before and not planned.dropped:
        return planned
    folder = planned.table
    if not planned.rows:
        output.files.delete(output.path(folder))
        return planned
    before = _kept(output, table, partition, request)
    staged = f"{output.staging}/compacted"
    write_sorted(before, table, staged, planned.files_after, is_partitioned=False)
    copy = _read(output, table, staged.removeprefix(output.path("")))
    if hash_sum(copy, copy.columns) != hash_sum(before, before.columns):
        output.files.delete(staged)
        raise OutputError(f"{output.root}: the copy of {folder} differs; nothing was changed")
    files = len(output.files.parts(staged))
    output.swap(staged, folder)
    return replace(planned, files_after=files)


def _read(output: Output, table: FactTable, folder: str) -> DataFrame:
    """The files of one folder below the root, without the column that the folder's name holds."""
    columns = [field for field in table.schema.fieldNames() if field != table.partition]
    return output.read(reader(output.session).schema(table.schema), folder).select(*columns)


def _kept(output: Output, table: FactTable, partition: str | None, request: CompactRequest) -> DataFrame:
    """The rows that stay."""
    rows = _read(output, table, folder_of(table, partition))
    if not _is_dropping(output, table, partition, request):
        return rows
    if not request.older_than_days:
        return rows.limit(0)
    since = datetime.now(UTC) - timedelta(days=request.older_than_days)
    return rows.where(F.col(_KEPT_AT[table.name]) >= F.lit(since))


_KEPT_AT: Final = {"pixels": "kept_at", "features": "computed_at", "scores": "scored_at"}


def _is_dropping(output: Output, table: FactTable, partition: str | None, request: CompactRequest) -> bool:
    """Whether rows of a partition are dropped where they are old enough."""
    if table is SCORES:
        return SUPERSEDED in request.drop and partition not in models_in_use(output)
    return table.name in request.drop


def models_in_use(output: Output) -> set[str]:
    """Versions by which a task was decided last, or that a publication names. Raises OutputError."""
    found: set[str] = set()
    for name in decided_tasks(output):
        note = read_note(output, name)
        if not note.decision or not note.task:
            raise OutputError(
                f"{output.path(DECIDED, f'{name}.json')}: names no models; run eoltag tag or decide again first"
            )
        found |= set(note.task["models"].values())
    for version in complete_versions(output):
        for task in read_manifest(output, version).tasks.values():
            found |= set(task.models.values())
    return found


def _planned(output: Output, table: FactTable, partition: str | None, request: CompactRequest) -> Compacted:
    folder = folder_of(table, partition)
    path = output.path(folder)
    rows, files = _read(output, table, folder).count(), len(output.files.parts(path))
    kept = _kept(output, table, partition, request).count() if request.drop else rows
    wanted = max(1, ceil(kept / (request.rows_per_file or table.rows_per_file))) if kept else 0
    return Compacted(folder, kept, rows - kept, output.files.size(path)[1], files, min(files, wanted))


def _text(root: str, done: list[Compacted], *, is_dry_run: bool) -> str:
    lines = [
        f"  {one.table}: {one.rows:,} rows, {f'{one.dropped:,} dropped, ' if one.dropped else ''}"
        f"{one.bytes / 1e6:,.1f} MB before, "
        + (f"{one.files_before} -> {one.files_after} files" if one.files_after < one.files_before else "as it was")
        for one in done
    ]
    fewer = sum(one.files_before - one.files_after for one in done)
    what = f"would save {fewer} files" if is_dry_run else f"{fewer} files fewer"
    return "\n".join([f"{root}: {what}", *lines])
