"""The tables of facts: images, scores, measures, features, pixels. Rows are appended and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from eoltag.spark.requests import IMAGES_PER_FILE
from eoltag.spark.tables import schemas
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.output import Output

PREFIXES: Final = 4096
"""Contents are counted and read by the first three hex digits of their hash."""
BLOB_ROW_GROUP: Final = 16 << 20
"""Bytes of a row group where rows are large: readers of a range of hashes skip the others."""


@dataclass(frozen=True, slots=True)
class FactTable:
    """How one table of facts lies on disk."""

    name: str
    schema: StructType
    sort: str
    """The files are sorted by this column."""
    partition: str | None = None
    key: tuple[str, ...] = ()
    """At most one row for each; none: every row is a fact of its own."""
    rows_per_file: int = IMAGES_PER_FILE
    has_blobs: bool = False

    @property
    def codec(self) -> str:
        """Pictures are compressed already."""
        return "uncompressed" if self.name == "pixels" else "zstd"


IMAGES: Final = FactTable("images", schemas.IMAGES, "eolMediaURL")
SCORES: Final = FactTable(
    "scores", schemas.SCORES, "content_sha256", "model_version", ("content_sha256", "model_version")
)
MEASURES: Final = FactTable("measures", schemas.MEASURES, "content_sha256", "name", ("content_sha256", "name"))
FEATURES: Final = FactTable(
    "features", schemas.FEATURES, "content_sha256", "base_version", ("content_sha256", "base_version"), 200_000, True
)
PIXELS: Final = FactTable("pixels", schemas.PIXELS, "content_sha256", None, ("content_sha256",), 50_000, True)

FACTS: Final = (PIXELS, FEATURES, MEASURES, SCORES, IMAGES)
"""In the order in which a wave commits them. A content that has all its measures and scores is not looked at again, so
what else it gave is there before; an image is answered when all of that is.
"""


def has_facts(output: Output, table: FactTable, partition: str | None = None) -> bool:
    """Whether the table has rows, or those of one of its partitions."""
    return output.files.exists(output.path(*_place(table, partition)))


def read_facts(output: Output, table: FactTable) -> DataFrame | None:
    """The whole table; None before a row was committed."""
    if not output.files.names(output.path(table.name)):
        return None
    read = reader(output.session).schema(table.schema).option("basePath", output.path(table.name))
    return output.read(read, table.name)


def partitions(output: Output, table: FactTable) -> list[str | None]:
    """The values of the partition column, or None alone for a table without one; nothing where there is no table."""
    if not has_facts(output, table):
        return []
    if table.partition is None:
        return [None]
    folders = output.files.partitions(output.path(table.name))
    return [folder.removeprefix(f"{table.partition}=") for folder in folders]


def folder_of(table: FactTable, partition: str | None) -> str:
    """Where the files of a partition lie, below the root."""
    return "/".join(_place(table, partition))


def append_facts(output: Output, table: FactTable, rows: DataFrame, images: int) -> int:
    """Commit rows (table.schema): few files, sorted, moved into their places when all are complete.

    Returns their bytes. rows: each key once; what the table holds already is left out. images: how many these are of.
    """
    size = stage_facts(output, table, rows, images)
    place_facts(output, table)
    return size


def stage_facts(output: Output, table: FactTable, rows: DataFrame, images: int) -> int:
    """The first half of append_facts: the files are complete, and not yet in their places."""
    staged = _staged(output, table)
    write_sorted(_without_known(output, table, rows), table, staged, 1 + images // table.rows_per_file)
    return output.files.size(staged)[1]


def place_facts(output: Output, table: FactTable) -> None:
    """The second half of append_facts: what stage_facts has written is moved into its place."""
    files, staged = output.files, _staged(output, table)
    output.check_lock()
    for partition in files.partitions(staged) if table.partition else [""]:
        folder = f"{staged}/{partition}".rstrip("/")
        for name in files.parts(folder):
            files.move(f"{folder}/{name}", output.path(table.name, *([partition] if partition else []), name))
    files.delete(staged)


def _staged(output: Output, table: FactTable) -> str:
    return f"{output.staging}/{table.name}"


def write_sorted(rows: DataFrame, table: FactTable, target: str, files: int, *, is_partitioned: bool = True) -> None:
    """Write rows of a table as so many files for each partition, sorted; where there are several, by range."""
    keys = [table.partition] if table.partition and is_partitioned else []
    spread = F.pmod(F.xxhash64(table.sort), F.lit(files)) if table is IMAGES else range_of(files)
    written = (
        rows.repartition(files, *keys, spread)
        .sortWithinPartitions(*keys, table.sort)
        .write.mode("overwrite")
        .option("compression", table.codec)
    )
    if table.has_blobs:
        written = written.option("parquet.block.size", BLOB_ROW_GROUP)
    (written.partitionBy(*keys) if keys else written).parquet(target)


def prefix_of(content: str = "content_sha256") -> Column:
    """The first three hex digits of a content's hash as a number, 0 to PREFIXES - 1."""
    return F.conv(F.substring(content, 1, 3), 16, 10).cast("int")


def between_prefixes(first: int, last: int) -> Column:
    """Whether a content lies in a range of prefixes, both included: in a form by which Parquet skips row groups."""
    content = F.col("content_sha256")
    above = content >= f"{first:03x}"
    return above if last >= PREFIXES - 1 else above & (content < f"{last + 1:03x}")


def hash_sum(rows: DataFrame, columns: Sequence[str | Column]) -> tuple[int, Any]:
    """Number of rows, and the sum of their hashes (NULL without rows): the same in whatever order they come."""
    total = F.sum(F.xxhash64(*columns).cast("decimal(38,0)"))
    (found,) = rows.agg(F.count(F.lit(1)), total).collect()
    return int(found[0]), found[1]


def range_of(files: int) -> Column:
    """The number of the file that a content goes to, from 0: ranges of hashes, so that each file holds one."""
    return F.floor(prefix_of() * files / PREFIXES)


def _without_known(output: Output, table: FactTable, rows: DataFrame) -> DataFrame:
    """Rows whose key is new. Looks before it joins: mostly all are."""
    if not table.key:
        return rows
    keys = list(table.key)
    known = read_facts(output, table)
    if known is None:
        return rows
    again = known.select(*keys).join(F.broadcast(rows.select(*keys)), on=keys, how="left_semi")
    return rows.join(F.broadcast(again), on=keys, how="left_anti") if again.take(1) else rows


def _place(table: FactTable, partition: str | None) -> Sequence[str]:
    return [table.name] if partition is None else [table.name, f"{table.partition}={partition}"]
