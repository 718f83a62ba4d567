"""Writes the folder of a publication: copies of tags and exported files, the data package, Croissant, the manifest."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from eoltag import __version__
from eoltag.decide.task import Task
from eoltag.local.files import sha256
from eoltag.publish import croissant, darwin_core
from eoltag.publish.manifest import FOLDER, MANIFEST_FILE, Manifest, PublishedFile, PublishedTask
from eoltag.settings import PublishSettings
from eoltag.spark.publish.darwin_core import darwin_core_tables
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.output import Output


def build(
    output: Output, tasks: Sequence[Task], published: Mapping[str, PublishedTask], state: str, settings: PublishSettings
) -> Manifest:
    """A new folder below published/, complete when this returns: its manifest is written last."""
    made_at = datetime.now(UTC)
    version = f"{made_at:%Y%m%dT%H%M%S}Z-{state[:8]}"
    place = _Place(output, version)
    for task in tasks:
        place.copy_tags(task.name)
        for path, digest in sorted(read_note(output, task.name).files.items()):
            if digest:  # no file has none but the log of a Delta table, which is read where it lies
                place.take(output.path(path), path)
    for name, table in darwin_core_tables(output, tasks, published).items():
        place.write_csv(table, darwin_core.file_of(name))
    said = (settings.title, settings.license)
    package = darwin_core.data_package(version, *said, made_at.isoformat())
    place.write_json(package, f"{darwin_core.FOLDER}/datapackage.json")
    for name, task_published in published.items():
        if task_published.certificate is not None:
            place.write_json(task_published.certificate, f"certificates/{name}.json")
    tables = {darwin_core.file_of(name): columns for name, columns in darwin_core.COLUMNS.items()}
    described = "Tags of images by image classifiers. " + " ".join(task.file.description for task in tasks)
    record = croissant.croissant(
        version, settings.title, described.strip(), settings.license, settings.publisher, made_at.isoformat(),
        place.files, tables,
    )  # fmt: skip
    place.write_json(record, croissant.FILE)
    manifest = Manifest(
        version, state, made_at.isoformat(), __version__, output.run_id, settings.title, settings.license,
        settings.publisher, dict(published), place.files,
    )  # fmt: skip
    output.check_lock()
    output.files.write_text(place.path(MANIFEST_FILE), manifest.as_json())
    return manifest


class _Place:
    """The folder of a publication that is being written, and what it holds so far."""

    def __init__(self, output: Output, version: str) -> None:
        self.output, self.version = output, version
        self.files: list[PublishedFile] = []

    def path(self, relative: str) -> str:
        return self.output.path(FOLDER, self.version, relative)

    def take(self, source: str, relative: str) -> None:
        """Copy a file of the output directory's file system."""
        with self.output.files.local_copy(source) as local:
            self._put(local, relative)

    def copy_tags(self, task: str) -> None:
        folder = self.output.path("tags", f"task={task}")
        for number, name in enumerate(self.output.files.parts(folder)):
            self.take(f"{folder}/{name}", f"tags/task={task}/part-{number:05}.parquet")

    def write_csv(self, table: DataFrame, relative: str) -> None:
        """A table as one file, sorted by its first two columns."""
        staged = f"{self.output.staging}/csv"
        ordered = table.repartition(1).sortWithinPartitions(*table.columns[:2])
        ordered.write.mode("overwrite").csv(
            staged, header=True, escape='"', nullValue="", emptyValue="",
            ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False,
        )  # fmt: skip
        (part,) = self.output.files.parts(staged)
        self.take(f"{staged}/{part}", relative)
        self.output.files.delete(staged)

    def write_json(self, document: dict[str, Any], relative: str) -> None:
        with TemporaryDirectory(prefix="eoltag-") as folder:
            local = Path(folder) / "document.json"
            local.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            self._put(local, relative)

    def _put(self, local: Path, relative: str) -> None:
        self.output.check_lock()
        self.output.files.upload(local, self.path(relative))
        self.files.append(PublishedFile(relative, sha256(str(local)), local.stat().st_size, _rows(local, relative)))


def _rows(local: Path, relative: str) -> int | None:
    """Rows of a table; None for a document."""
    ending = relative.rpartition(".")[2]
    if ending == "parquet":
        return int(pq.ParquetFile(local).metadata.num_rows)
    if ending not in ("tsv", "jsonl"):
        return None
    with local.open("rb") as stream:
        lines = sum(1 for _ in stream)
    return lines - 1 if ending == "tsv" and lines else lines
