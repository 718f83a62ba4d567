"""The output directory: predictions appended, tags and bundles replaced whole.

Everything is written below _staging/RUN and moved into place, so no reader sees half a file.
"""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from eoltag.errors import OutputError
from eoltag.spark.requests import IMAGES_PER_FILE
from eoltag.spark.tables.files import Files
from eoltag.spark.tables.schemas import PREDICTIONS, SCHEMA_VERSION

SCHEMA_FILE: Final = "_schema.json"
LOCK_FILE: Final = "lock.json"
_UNSORTED: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "ancestry")
_LARGER_THAN_FILES: Final = 1 << 42
_FEWEST_ROW_BYTES: Final = 8
"""Of a row in a bundle's file: numbered addresses alone take 12."""


@dataclass(frozen=True, slots=True)
class Output:
    """One output directory in the course of one run."""

    session: SparkSession
    root: str
    run_id: str

    @property
    def files(self) -> Files:
        """Its file system."""
        return Files(self.session)

    def path(self, *parts: str) -> str:
        """Below the root."""
        return "/".join((self.root.rstrip("/"), *parts))

    @property
    def staging(self) -> str:
        """Where this run writes before it moves."""
        return self.path("_staging", self.run_id)

    def check(self) -> None:
        """Raises OutputError for a directory that another version of eoltag, or something else, has filled."""
        try:
            self._check()
        except OSError as problem:
            raise OutputError(f"{self.root}: cannot be used ({problem})") from problem

    def _check(self) -> None:
        if self.files.exists(self.path(SCHEMA_FILE)):
            try:
                came = json.loads(self.files.read_text(self.path(SCHEMA_FILE))).get("schema_version")
            except (ValueError, AttributeError) as problem:
                raise OutputError(f"{self.path(SCHEMA_FILE)}: not readable as JSON ({problem})") from problem
            if came != SCHEMA_VERSION:
                raise OutputError(
                    f"{self.root}: wanted an output directory of schema version {SCHEMA_VERSION}. Received: {came!r}"
                )
        elif self.files.exists(self.path("predictions")) or self.files.exists(self.path("tags")):
            raise OutputError(f"{self.root}: holds tables but no {SCHEMA_FILE}, so it was not written by this eoltag")

    def begin(self) -> None:
        """Mark the directory as ours, mend what a killed run left between two renames, drop its leftovers.

        Raises OutputError where another run is at work here, or the directory cannot be written.
        """
        try:
            self.files.make_folder(self.path("_staging"))
            self._lock()
            if not self.files.exists(self.path(SCHEMA_FILE)):
                self.files.write_text(self.path(SCHEMA_FILE), json.dumps({"schema_version": SCHEMA_VERSION}) + "\n")
            for leftover in self.files.names(self.path("_staging")):
                if leftover != LOCK_FILE:
                    self._restore(f"{self.path('_staging', leftover)}/replaced")
                    self.files.delete(self.path("_staging", leftover))
        except OSError as problem:
            raise OutputError(f"{self.root}: cannot be written ({problem})") from problem

    def end(self) -> None:
        """Drop this run's staging and its lock."""
        self.files.delete(self.staging)
        if self._lock_holder().get("run_id") == self.run_id:
            self.files.delete(self.path("_staging", LOCK_FILE))
        if not self.files.names(self.path("_staging")):
            self.files.delete(self.path("_staging"))

    def _lock(self) -> None:
        """One run at a time: a second one would drop the first one's staging and fetch the same images."""
        holder = self._lock_holder()
        if holder and (holder.get("host") != platform.node() or _is_alive(int(holder.get("pid", 0)))):
            raise OutputError(
                f"{self.root}: run {holder.get('run_id')} is at work here (host {holder.get('host')}, process "
                f"{holder.get('pid')}); wait for it, or delete {self.path('_staging', LOCK_FILE)} if it is dead"
            )
        holder = {"run_id": self.run_id, "host": platform.node(), "pid": os.getpid()}
        self.files.write_text(self.path("_staging", LOCK_FILE), json.dumps(holder) + "\n")

    def _lock_holder(self) -> dict[str, Any]:
        path = self.path("_staging", LOCK_FILE)
        if not self.files.exists(path):
            return {}
        try:
            holder: dict[str, Any] = json.loads(self.files.read_text(path))
        except ValueError:  # cut short by a kill: nobody holds it
            return {}
        return holder

    def has_predictions(self, task: str, version: str) -> bool:
        """Some image was predicted by this model for this task."""
        return self.files.exists(self.path("predictions", f"task={task}", f"model_version={version}"))

    def predictions(self) -> DataFrame | None:
        """The whole predictions table; None before the first wave was committed."""
        if not self.files.names(self.path("predictions")):
            return None
        return self.session.read.schema(PREDICTIONS).parquet(self.path("predictions"))

    def partitions(self) -> list[tuple[str, str]]:
        """(task, model version) of each partition of the predictions table."""
        root = self.path("predictions")
        return [
            (task.removeprefix("task="), version.removeprefix("model_version="))
            for task in self._partitions(root)
            for version in self._partitions(f"{root}/{task}")
        ]

    def read_partition(self, task: str, version: str) -> DataFrame:
        """The columns that its files hold, those of any of them."""
        path = self.path("predictions", f"task={task}", f"model_version={version}")
        return self.session.read.option("mergeSchema", "true").parquet(path)

    def append_predictions(self, rows: DataFrame, images: int) -> None:
        """Commit a wave: few files, sorted by URL, moved into their partitions when all are complete."""
        staged = f"{self.staging}/predictions"
        keys = ["task", "model_version"]
        spread = F.pmod(F.xxhash64("eolMediaURL"), F.lit(1 + images // IMAGES_PER_FILE))
        (
            rows.repartition(*keys, spread)
            .sortWithinPartitions(*keys, "eolMediaURL")
            .write.mode("overwrite")
            .option("compression", "zstd")
            .partitionBy(*keys)
            .parquet(staged)
        )
        for task in self._partitions(staged):
            for version in self._partitions(f"{staged}/{task}"):
                for name in self.parts(f"{staged}/{task}/{version}"):
                    self.files.move(f"{staged}/{task}/{version}/{name}", self.path("predictions", task, version, name))
        self.files.delete(staged)

    def replace_bundles(self, rows: DataFrame, task: str) -> None:
        """Keep the rows of each bundle for later decisions: bundles/task=T/bundle=B."""
        staged = f"{self.staging}/bundles"
        rows.repartition("bundle").sortWithinPartitions("bundle", "bundle_row").write.mode("overwrite").option(
            "compression", "zstd"
        ).partitionBy("bundle").parquet(staged)
        for bundle in self._partitions(staged):
            self.swap(f"{staged}/{bundle}", f"bundles/task={task}/{bundle}")
        self.files.delete(staged)

    def upload_bundle(self, local: Path, bundle: str, task: str) -> None:
        """The same for a bundle whose rows are a file on the driver's disk."""
        staged = f"{self.staging}/bundles/bundle={bundle}"
        self.files.upload(local, f"{staged}/{local.name}")
        self.swap(staged, f"bundles/task={task}/bundle={bundle}")

    def bundles(self, task: str) -> DataFrame:
        """All bundle rows that were ever given to a task, in their latest form. Raises OutputError."""
        folder = self.path("bundles", f"task={task}")
        if not self.files.names(folder):
            raise OutputError(
                f"{self.root}: no bundle was tagged for task '{task}' here; run jobs/tag_bundles.py first"
            )
        return self.session.read.parquet(folder)

    def rows_at_most(self) -> int:
        """Bundle rows that are kept here, of all tasks, estimated by their bytes."""
        return self.files.size(self.path("bundles"))[1] // _FEWEST_ROW_BYTES

    def bundle_names(self, task: str) -> list[str]:
        """Every bundle that was ever given to a task."""
        folders = self._partitions(self.path("bundles", f"task={task}"))
        return [unquote(folder.removeprefix("bundle=")) for folder in folders]

    def replace_tags(self, rows: DataFrame, task: str) -> None:
        """Write tags/task=T beside and swap it in: a bundle in one file, in the order of its rows."""
        spread = F.pmod(F.xxhash64("bundle"), F.lit(64))
        # Names of bundles begin alike: sorting by a number first compares few of them.
        place = F.shiftleft(F.pmod(F.xxhash64("bundle"), F.lit(1 << 20)), 40) + F.col("bundle_row")
        self._swap_tags(rows.repartition(spread).sortWithinPartitions(place, "bundle", "bundle_row"), task)

    def renew_tags(self, rows: DataFrame, task: str) -> None:
        """The same for rows that were made of the written ones, each of one: they stay in their files and order."""
        with self.whole_files():
            self._swap_tags(rows, task)

    def _swap_tags(self, rows: DataFrame, task: str) -> None:
        staged = f"{self.staging}/tags"
        written = rows.write.mode("overwrite").option("compression", "zstd").option("maxRecordsPerFile", 0)
        for column in _UNSORTED:  # no reader could skip anything by their bounds, and to find these takes long
            written = written.option(f"parquet.column.statistics.enabled#{column}", "false")
        written.parquet(staged)
        self.swap(staged, f"tags/task={task}")

    @contextmanager
    def whole_files(self) -> Iterator[None]:
        """Inside, each file that is read is one partition, so that its rows stay together and in their order."""
        keys = ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes")
        with self.configured(keys[0], _LARGER_THAN_FILES), self.configured(keys[1], _LARGER_THAN_FILES):
            yield

    @contextmanager
    def configured(self, key: str, value: int) -> Iterator[None]:
        """Inside, the session has this setting."""
        before = str(self.session.conf.get(key))
        self.session.conf.set(key, value)
        try:
            yield
        finally:
            self.session.conf.set(key, before)

    def has_tags(self, task: str) -> bool:
        """The task was decided before."""
        return self.files.exists(self.path("tags", f"task={task}"))

    def tags(self, task: str) -> DataFrame:
        """The written tags of a task."""
        return self.session.read.parquet(self.path("tags", f"task={task}"))

    def replace_thumbnails(self, local: Path, task: str) -> None:
        """Swap in a file of the driver's disk as thumbnails/task=T."""
        staged = f"{self.staging}/thumbnails"
        self.files.upload(local, f"{staged}/{local.name}")
        self.swap(staged, f"thumbnails/task={task}")

    def stage(self, name: str, rows: DataFrame) -> DataFrame:
        """The rows once on disk for this run, so that later steps read them and do not compute them again."""
        path = f"{self.staging}/{name}"
        rows.write.mode("overwrite").parquet(path)
        return self.session.read.schema(rows.schema).parquet(path)

    def write_run(self, document: dict[str, Any]) -> None:
        """runs/<run_id>.json."""
        self.files.write_text(self.path("runs", f"{self.run_id}.json"), json.dumps(document, indent=2) + "\n")

    def swap(self, staged: str, target: str) -> None:
        """Two renames; begin() of the next run puts the old one back if a kill came between them."""
        replaced = f"{self.staging}/replaced/{target}"
        if self.files.exists(self.path(target)):
            self.files.move(self.path(target), replaced)
        self.files.move(staged, self.path(target))
        self.files.delete(replaced)

    def _restore(self, replaced: str) -> None:
        for table, depth in (("tags", 1), ("thumbnails", 1), ("bundles", 2), ("predictions", 2)):
            for relative in self._folders(f"{replaced}/{table}", depth):
                if not self.files.exists(self.path(table, relative)):
                    self.files.move(f"{replaced}/{table}/{relative}", self.path(table, relative))

    def _folders(self, folder: str, depth: int) -> list[str]:
        names = self.files.names(folder)
        if depth == 1:
            return names
        return [f"{name}/{below}" for name in names for below in self._folders(f"{folder}/{name}", depth - 1)]

    def _partitions(self, folder: str) -> list[str]:
        return [name for name in self.files.names(folder) if "=" in name]

    def parts(self, folder: str) -> list[str]:
        """Names of the data files in a folder."""
        return [name for name in self.files.names(folder) if name.startswith("part-")]


def _is_alive(pid: int) -> bool:
    """A process of this machine other than this one."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
