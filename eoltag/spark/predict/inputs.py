"""Bundles to a DataFrame of rows: from any file system, sampled, with the columns of sibling breakdowns."""

from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.bundle.names import sibling_of
from eoltag.bundle.staging import PART, Staged
from eoltag.errors import BundleError
from eoltag.spark.tables.files import Files
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import ROWS


def remote_fetcher(session: SparkSession | None) -> Callable[[str, Path], list[tuple[str, Path]]] | None:
    """For sources.local_files: copies what a remote path or glob names; None without a session. Raises BundleError."""
    if session is None:
        return None
    files = Files(session)

    def fetch_remote(pattern: str, folder: Path) -> list[tuple[str, Path]]:
        found = []
        try:
            for path in files.matches(pattern):
                local = folder / f"remote-{len(list(folder.iterdir()))}"
                files.download(path, local)
                found.append((path, local))
        except OSError as problem:
            raise BundleError(f"{pattern}: cannot be read ({problem})") from problem
        if not found:
            raise BundleError(f"{pattern}: no such bundle")
        return found

    return fetch_remote


def bundle_rows(output: Output, staged: Staged, *, sample: int | None, seed: int) -> DataFrame:
    """The staged rows (schemas.ROWS) where executors can read them; a sample is the same for one seed."""
    target = f"{output.staging}/rows"
    for name in staged.bundles:
        output.files.upload(staged.path(name), f"{target}/bundle={name}/{PART}")
    read = output.session.read.schema(ROWS).parquet(target).select(*ROWS.fieldNames())
    rows = with_siblings(read, staged.bundles)
    if sample is None:
        return rows
    order = F.xxhash64(F.lit(seed), "bundle", "bundle_row")
    return rows.orderBy(order, "bundle", "bundle_row").limit(sample)


def are_as_staged(staged: Staged, sample: int | None) -> bool:
    """bundle_rows gives just the rows of the staged files."""
    return sample is None and not _pairs(staged.bundles)


def _pairs(bundles: list[str]) -> list[tuple[str, str]]:
    """(download list, its breakdown)."""
    return [(name, sibling) for name in bundles if (sibling := sibling_of(name)) in bundles]


def with_siblings(rows: DataFrame, bundles: list[str]) -> DataFrame:
    """Rows of download lists with the columns of their breakdown, where it is among `bundles`: join on eolMediaURL."""
    pairs = _pairs(bundles)
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
