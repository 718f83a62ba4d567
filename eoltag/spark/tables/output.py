"""An output directory in the course of one run: its paths, and changes that a reader sees whole or not at all.

Everything is written below _staging/RUN and then moved into place.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pyspark.sql import DataFrame, DataFrameReader, SparkSession

from eoltag.errors import OutputError
from eoltag.local import swaps
from eoltag.local.swaps import Swap
from eoltag.spark.tables.files import Files, reader, renames_in_one_step
from eoltag.spark.tables.schema_version import check_schema_version

SWAPS: Final = "_staging/swaps"
"""Holds the note of a swap that is under way."""


@dataclass(slots=True)
class Guard:
    """What is asked before anything is moved into place."""

    check: Callable[[], None] | None = None
    """Raises OutputError where this run does not have the directory any more."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output directory, as one run sees it."""

    session: SparkSession
    root: str
    run_id: str
    guard: Guard = field(default_factory=Guard, compare=False)

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

    def read(self, read: DataFrameReader, table: str, folders: Sequence[str] = ()) -> DataFrame:
        """The Parquet files of a table, or of these folders of it, that count: see eoltag.local.swaps."""
        wanted = [f"{table}/{folder}" for folder in folders] or [table]
        changes = [] if renames_in_one_step(self.root) else swaps.pending(self.files, self.path(SWAPS))
        return read.parquet(*[path for folder in wanted for path in self._counted(folder, changes)])

    def _counted(self, folder: str, changes: Sequence[Swap]) -> list[str]:
        """The folder itself where all of it counts, else its files that do."""
        mine = {one.folder: one for one in changes if f"{one.folder}/".startswith(f"{folder}/")}
        if not mine:
            return [self.path(folder)]
        found = []
        for place in [folder, *[f"{folder}/{name}" for name in self.files.partitions(self.path(folder))]]:
            names = self.files.parts(self.path(place))
            hidden = mine[place].hidden(names) if place in mine else set()
            found += [self.path(place, name) for name in names if name not in hidden]
        return found

    def stage(self, name: str, rows: DataFrame) -> DataFrame:
        """The rows, once on disk for this run, so that later steps read them and do not compute them again."""
        path = f"{self.staging}/{name}"
        rows.write.mode("overwrite").parquet(path)
        return reader(self.session).schema(rows.schema).parquet(path)

    def check_lock(self) -> None:
        """Raises OutputError where the directory was deleted, or another run has taken over."""
        if self.guard.check is not None:
            try:
                self.guard.check()
            except OutputError as problem:
                raise OutputError(f"{self.root}: {problem}") from problem

    def swap(self, staged: str, target: str) -> None:
        """Put a staged folder in the place of `target`, in one step where the file system can exchange folders.

        The old one stays below _staging until the next swap or the end: who was just listing it must not find it empty.
        On HDFS there are two renames, and in object stores each file has its own; lock.begin mends a kill in between.
        """
        self.check_lock()
        path, before, replaced = self.path(target), f"{self.staging}/before", f"{self.staging}/replaced/{target}"
        if not renames_in_one_step(self.root):
            change = Swap(target, self.files.parts(path), self.files.parts(staged))
            swaps.swap(self.files, self.root, self.path(SWAPS), staged, change)
            return
        self.files.delete(before)
        if not self.files.exists(path):
            self.files.move(staged, path)
        elif self.files.exchange(staged, path):
            self.files.move(staged, before)
        else:
            self.files.move(path, replaced)
            self.files.move(staged, path)
            self.files.delete(replaced)

    def swap_file(self, staged: str, target: str) -> None:
        """Put a staged file in the place of `target`, the only file of its folder.

        Its name stays, so that who has listed the folder finds the old file or the new one, whole.
        """
        self.check_lock()
        folder, _, name = target.rpartition("/")
        if [other for other in self.files.parts(self.path(folder)) if other != name]:  # of a version before
            self.files.move(staged, f"{self.staging}/whole/{name}")
            self.swap(f"{self.staging}/whole", folder)
        else:
            self.files.replace(staged, self.path(target))

    def upload_file(self, local: Path, target: str) -> None:
        """Put this file of the driver's disk in the place of `target`, as swap_file does."""
        folder, _, name = target.rpartition("/")
        if not renames_in_one_step(self.root) and not {*self.files.parts(self.path(folder))} - {name}:
            self.check_lock()
            self.files.upload(local, self.path(target))  # an object appears whole
            return
        staged = f"{self.staging}/uploaded/{target}"
        self.files.upload(local, staged)
        self.swap_file(staged, target)


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
