"""The bundles of a run as rows: read onto the driver's disk, sampled, with the columns of sibling breakdowns."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.bundle.names import sibling_of
from eoltag.bundle.staging import PART, Staged, local_files, stage
from eoltag.decide.keeping import keeping, may_lack
from eoltag.decide.task import Task, bundle_columns
from eoltag.spark.predict.remote import fetch_bundles
from eoltag.spark.requests import TagRequest
from eoltag.spark.tables.bundles import (
    further_columns,
    note_further_columns,
    replace_bundles,
    upload_bundle,
    with_kept_columns,
)
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.runs import Run
from eoltag.spark.tables.schemas import quoted, rows_schema


def find_bundles(request: TagRequest, folder: Path) -> list[tuple[str, Path]]:
    """(what the user named, local file) of every requested bundle, copied into `folder` where it is not local.

    Spark is started where a list lies on a file system that only Spark reads. Raises BundleError.
    """
    return local_files(request.bundles, folder, request.settings.fetch, fetch_bundles)


def stage_bundles(
    request: TagRequest, tasks: Sequence[Task], files: list[tuple[str, Path]], folder: Path, *, is_first: bool
) -> Staged:
    """Every row of the bundles in Parquet files in a new folder, with the columns that tasks name. Raises BundleError.

    is_first: columns that --keep names must be there; those that an earlier run has kept may be missing.
    """
    further = [column for task in tasks for column in bundle_columns(task).values()]
    optional = frozenset() if is_first else {column for task in tasks for column in may_lack(task)}
    return stage(files, folder, request.taking, further, optional)


def remembering(run: Run, files: list[tuple[str, Path]], folder: Path) -> Run:
    """The run with the columns that earlier runs over its output have kept, where this one does not say which."""
    if run.request.keep is not None:
        return run
    tasks = [keeping(task, read_note(run.output, task.name).kept) for task in run.tasks]
    if tasks == run.tasks:
        return run
    staged = stage_bundles(run.request, tasks, files, folder, is_first=False)
    return replace(run, tasks=tasks, staged=staged)


def bundle_rows(run: Run) -> DataFrame:
    """The staged rows (schemas.ROWS) where executors can read them; a sample is the same for one seed."""
    output, staged, request = run.output, run.staged, run.request
    target = f"{output.staging}/rows"
    for name in staged.bundles:
        output.files.upload(staged.path(name), f"{target}/bundle={name}/{PART}")
    schema = rows_schema(staged.further)
    read = reader(output.session).schema(schema).parquet(target).select(*map(quoted, schema.fieldNames()))
    rows = with_siblings(read, staged.bundles)
    if request.sample is None:
        return rows
    order = F.xxhash64(F.lit(request.seed), "bundle", "bundle_row")
    return rows.orderBy(order, "bundle", "bundle_row").limit(request.sample)


def keep_bundles(run: Run, rows: DataFrame) -> None:
    """Keep the rows of the run (bundle_rows) for later decisions: the staged files, where they are just these rows.

    Columns that an earlier run has kept for other tasks stay.
    """
    output, staged = run.output, run.staged
    kept = {name: columns for name, columns in further_columns(output).items() if name in staged.bundles}
    mine = {name.lower() for name in staged.further}
    lost = {
        bundle: missing for bundle, columns in kept.items()
        if (missing := [name for name in columns if name.lower() not in mine])
    }  # fmt: skip
    if run.request.sample is None and not siblings(staged.bundles) and not lost:
        for bundle in staged.bundles:
            upload_bundle(output, staged.path(bundle), bundle)
    else:
        replace_bundles(output, with_kept_columns(output, rows, lost).drop("is_usable"))
    note_further_columns(output, {name: [*staged.further, *lost.get(name, [])] for name in staged.bundles})


def bundle_digests(run: Run) -> dict[str, str]:
    """Bundle -> a digest of all that its rows in this run follow from; a sample is drawn from all bundles together."""
    digests, sample, pairs = run.staged.digests, run.request.sample, siblings(run.staged.bundles)
    drawn = None if sample is None else [sample, run.request.seed, digests]
    contents = {name: [digest, digests.get(pairs.get(name, "")), drawn] for name, digest in digests.items()}
    return {name: hashlib.sha256(json.dumps(content).encode()).hexdigest() for name, content in contents.items()}


def siblings(bundles: list[str]) -> dict[str, str]:
    """Download list -> its breakdown, where both are among `bundles`."""
    found = {name: sibling_of(name) for name in bundles}
    return {name: sibling for name, sibling in found.items() if sibling is not None and sibling in bundles}


def with_siblings(rows: DataFrame, bundles: list[str]) -> DataFrame:
    """Rows of download lists with the columns of their breakdown, where it is among `bundles`: join on eolMediaURL."""
    pairs = siblings(bundles)
    if not pairs:
        return rows
    names = [name for name in rows.columns if name not in ("eolMediaURL", "bundle", "bundle_row", "is_usable")]
    sibling = F.create_map(*[F.lit(text) for pair in pairs.items() for text in pair])
    known = (
        rows.where(F.col("bundle").isin([*pairs.values()]) & F.col("is_usable"))
        .groupBy(F.col("bundle").alias("sibling"), F.col("eolMediaURL").alias("sibling_url"))
        .agg(F.min_by(F.struct(*map(quoted, names)), "bundle_row").alias("given"))
    )
    same = (sibling[F.col("bundle")] == F.col("sibling")) & (F.col("eolMediaURL") == F.col("sibling_url"))
    filled = {name: F.coalesce(F.col(quoted(name)), F.col("given")[name]) for name in names}
    return rows.join(known, on=same, how="left").withColumns(filled).select(*map(quoted, rows.columns))
