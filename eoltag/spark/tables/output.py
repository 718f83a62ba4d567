"""An output directory in the course of one run: its paths, and changes that a reader sees whole or not at all.

Everything is written below _staging/RUN and then moved into place.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from eoltag.errors import OutputError
from eoltag.spark.tables.files import Files
from eoltag.spark.tables.schema_version import check_schema_version


@dataclass(frozen=True, slots=True)
class Output:
    """One output directory, as one run sees it."""

    session: SparkSession
    root: str
    run_id: str

    @property
    def files(self) -> Files:
        """The file system that the directory lies on."""
        return Files(self.session)

    def path(self, *parts: str) -> str:
        """The full path of something below the root."""
        return "/".join((self.root.rstrip("/"), *parts))

    @property
    def staging(self) -> str:
        """The folder in which this run writes before it moves."""
        return self.path("_staging", self.run_id)

    def stage(self, name: str, rows: DataFrame) -> DataFrame:
        """The rows, once on disk for this run, so that later steps read them and do not compute them again."""
        path = f"{self.staging}/{name}"
        rows.write.mode("overwrite").parquet(path)
        return self.session.read.schema(rows.schema).parquet(path)

    def swap(self, staged: str, target: str) -> None:
        """Put a staged folder in the place of `target`: two renames; lock.begin mends a kill between them."""
        replaced = f"{self.staging}/replaced/{target}"
        if self.files.exists(self.path(target)):
            self.files.move(self.path(target), replaced)
        self.files.move(staged, self.path(target))
        self.files.delete(replaced)

    def swap_file(self, local: Path, target: str) -> None:
        """Put a folder with this one file of the driver's disk in the place of `target`."""
        staged = f"{self.staging}/uploaded/{target}"
        self.files.upload(local, f"{staged}/{local.name}")
        self.swap(staged, target)


def open_output(session: SparkSession, path: str) -> Output:
    """The directory for a new run, found fit for it. Raises OutputError."""
    files = Files(session)
    try:
        root = files.absolute(path)
    except OSError as problem:
        raise OutputError(f"{path}: cannot be used ({problem})") from problem
    check_schema_version(files, root)
    return Output(session, root, _run_id())


def _run_id() -> str:
    """A name that sorts by time, to the millisecond: the latest run is the last. The tail keeps two machines apart."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"
