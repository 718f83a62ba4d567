"""Files that should not be there or should, and tables whose files have other columns than their schema."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow.parquet as pq
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from eoltag.spark.tables.decided import FOLDER as DECIDED
from eoltag.spark.tables.decided import bundles_of
from eoltag.spark.tables.facts import FACTS, folder_of, partitions
from eoltag.spark.tables.models import FOLDER as MODELS
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import ROWS
from eoltag.spark.tables.writers.registry import WRITERS
from eoltag.spark.verify.finding import Finding

_KNOWN: Final = frozenset(
    {
        *(table.name for table in FACTS), *(writer.name for writer in WRITERS), DECIDED, MODELS, "bundles", "tags",
        "thumbnails", "changes", "delta", "report", "runs", "published", "certificates", "audits", "judgements",
        "_staging", "_schema.json", "views.duckdb.sql", "views.spark.sql",
    }
)  # fmt: skip
_BUNDLE: Final = StructType([field for field in ROWS if field.name != "is_usable"])
"""What every bundle is kept with: whether a URL is usable is only asked before it is fetched."""
_BESIDE_DATA: Final = frozenset({"_SUCCESS", "_columns.json"})


def check_layout(output: Output, tasks: Sequence[str]) -> Iterator[Finding]:
    """Foreign files and folders, in the output directory and in its tables; bundles without their rows."""
    for name in output.files.names(output.root):
        if name not in _KNOWN and not name.endswith((".tmp", ".crc")):
            yield Finding(name, "nothing that eoltag writes has this name")
    for folder in [*(f"tags/{name}" for name in output.files.names(output.path("tags"))), *_fact_folders(output)]:
        yield from _foreign(output, folder)
    for folder in output.files.partitions(output.path("tags")):
        if folder.removeprefix("task=") not in tasks:
            yield Finding(f"tags/{folder}", f"no note {DECIDED}/{folder.removeprefix('task=')}.json tells of this task")
    for task in tasks:
        for bundle in bundles_of(output, task):
            if not output.files.exists(output.path("bundles", f"bundle={bundle}")):
                yield Finding(f"bundles/bundle={bundle}", f"is missing; task '{task}' was given this bundle")


def check_schemas(output: Output) -> Iterator[Finding]:
    """Parquet files that cannot be read, or whose columns are others than those of their table."""
    for table in FACTS:
        for partition in partitions(output, table):
            folder = folder_of(table, partition)
            wanted = StructType([field for field in table.schema if partition is None or field.name != table.partition])
            yield from _check_files(output, folder, wanted)
    for folder in output.files.partitions(output.path("bundles")):
        yield from _check_files(output, f"bundles/{folder}", _BUNDLE, is_exact=False)
    for folder in output.files.partitions(output.path("tags")):
        yield from _check_files(output, f"tags/{folder}", None)


def check_models(output: Output) -> Iterator[Finding]:
    """Scores of a model that nothing tells of."""
    known = {name.removesuffix(".json") for name in output.files.names(output.path(MODELS))}
    for version in partitions(output, next(table for table in FACTS if table.name == "scores")):
        if version not in known:
            yield Finding(
                f"scores/model_version={version}", f"{MODELS}/{version}.json, which says its labels, is missing"
            )


def check_documents(output: Output) -> Iterator[Finding]:
    """Records and notes that are no JSON."""
    for folder in ("runs", DECIDED, MODELS):
        for name in output.files.names(output.path(folder)):
            try:
                json.loads(output.files.read_text(output.path(folder, name)))
            except ValueError as problem:
                yield Finding(f"{folder}/{name}", f"is no JSON ({problem})")


def _fact_folders(output: Output) -> list[str]:
    return [folder_of(table, partition) for table in FACTS for partition in partitions(output, table)]


def _foreign(output: Output, folder: str) -> Iterator[Finding]:
    for name in output.files.names(output.path(folder)):
        is_ours = name.startswith("part-") and name.endswith(".parquet")
        if not is_ours and name not in _BESIDE_DATA and not name.endswith(".crc"):
            yield Finding(f"{folder}/{name}", "is no file of this table")


def _check_files(output: Output, folder: str, wanted: StructType | None, *, is_exact: bool = True) -> Iterator[Finding]:
    """wanted: the columns by name and type; more are allowed where it is not exact. None: any that can be read."""
    for name in output.files.parts(output.path(folder)):
        try:
            with output.files.local_copy(output.path(folder, name)) as local:
                found = {field.name: field.dataType for field in from_arrow_schema(pq.read_schema(local))}
        except (OSError, ValueError) as problem:
            yield Finding(f"{folder}/{name}", f"cannot be read as Parquet ({str(problem).splitlines()[0]})")
            continue
        if wanted is not None:
            yield from _differing(f"{folder}/{name}", found, wanted, is_exact=is_exact)


def _differing(place: str, found: Mapping[str, object], wanted: StructType, *, is_exact: bool) -> Iterator[Finding]:
    kinds = {field.name: field.dataType for field in wanted if field.name != "bundle"}
    for name, kind in kinds.items():
        if name not in found:
            yield Finding(place, f"has no column {name}")
        elif str(found[name]).replace("TimestampNTZType", "TimestampType") != str(kind):
            yield Finding(place, f"column {name} is {found[name]}; wanted {kind}")
    for name in set(found) - set(kinds) - {"bundle"} if is_exact else ():
        yield Finding(place, f"has a column {name}, which its table has not")
