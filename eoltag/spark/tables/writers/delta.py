"""Delta Lake: the tags of a task as a Delta table, delta/T, with one commit for each decision that changes a row."""

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.decide.task import Task
from eoltag.errors import OutputError, TaskError
from eoltag.places import install_command
from eoltag.spark.tables.facts import hash_sum
from eoltag.spark.tables.files import is_local
from eoltag.spark.tables.output import Output

NAME: Final = "delta"
"""In `formats` of a task file; also the folder in the output directory."""
DIGEST: Final = "eoltag.rows"
"""What a commit says of the rows that it wrote."""
RUN: Final = "eoltag.run_id"
LOG: Final = "_delta_log"
_S3: Final = ("s3a://", "s3n://", "s3://")
_FROM_HADOOP: Final = {
    "AWS_ENDPOINT_URL": "fs.s3a.endpoint",
    "AWS_REGION": "fs.s3a.endpoint.region",
    "AWS_ACCESS_KEY_ID": "fs.s3a.access.key",
    "AWS_SECRET_ACCESS_KEY": "fs.s3a.secret.key",
    "AWS_SESSION_TOKEN": "fs.s3a.session.token",
}
"""Where Spark was told of a store, the table is written with the same; else by the variables of the environment."""


def wants_delta(task: Task) -> bool:
    """Whether the task names the format."""
    return NAME in task.file.formats


def check_delta(output: Output, task: Task) -> None:
    """Raises TaskError where the table could not be written, before anything is fetched."""
    if not wants_delta(task):
        return
    if find_spec("deltalake") is None:
        raise TaskError(f"{task.path}: formats: delta wants deltalake: {install_command('delta')}")
    if output.root.startswith(("hdfs://", "viewfs://")):
        raise TaskError(f"{task.path}: formats: delta: an output on a disk or in an object store was wanted. "
                        f"Received: {output.root}")  # fmt: skip


def write_delta(output: Output, task: Task, tags: DataFrame) -> bool:
    """Replace the table's rows by those of the tags table, as one commit; False where they are the same already.

    tags: the written tags of the task. Raises OutputError.
    """
    from deltalake import CommitProperties, DeltaTable, write_deltalake
    from deltalake.exceptions import DeltaError

    address, options, digest = _address(output, task), _options(output), _digest(tags)
    try:
        if DeltaTable.is_deltatable(address, options):
            (last,) = DeltaTable(address, storage_options=options).history(1)
            if last.get(DIGEST) == digest:
                return False
        with tempfile.TemporaryDirectory(prefix="eoltag-") as folder:
            write_deltalake(
                address,
                _rows(output, task, Path(folder)),
                mode="overwrite",
                schema_mode="overwrite",
                name=f"{task.name}: tags",
                commit_properties=CommitProperties(custom_metadata={DIGEST: digest, RUN: output.run_id}),
                storage_options=options,
            )
    except (DeltaError, OSError) as problem:
        raise OutputError(f"{address}: the Delta table cannot be written ({problem})") from problem
    return True


def _rows(output: Output, task: Task, folder: Path) -> Any:
    """The rows of the tags table, streamed; copies of its files where they lie elsewhere."""
    import pyarrow.dataset as ds
    from pyarrow import RecordBatchReader

    source = output.path("tags", f"task={task.name}")
    if not is_local(source):
        for name in output.files.parts(source):
            output.files.download(f"{source}/{name}", folder / name)
        source = str(folder)
    # Spark's timestamps have 12 bytes, which would be read as nanoseconds; Delta has microseconds.
    form = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(), **_MICROSECONDS)
    names = [f"{source}/{name}" for name in output.files.parts(source)]
    rows = ds.dataset(names, format=form)
    return RecordBatchReader.from_batches(rows.schema, rows.to_batches())


_MICROSECONDS: Final[dict[str, Any]] = {"coerce_int96_timestamp_unit": "us"}


def _address(output: Output, task: Task) -> str:
    """The table as deltalake names it."""
    path = output.path(NAME, task.name)
    scheme = next((one for one in _S3 if path.startswith(one)), None)
    return path if scheme is None else f"s3://{path.removeprefix(scheme)}"


def _options(output: Output) -> dict[str, str] | None:
    """How the store is reached."""
    if not output.root.startswith(_S3):
        return None
    jsc: Any = output.session.sparkContext._jsc
    conf = jsc.hadoopConfiguration()
    found = {name: conf.get(key) for name, key in _FROM_HADOOP.items()}
    options = {name: str(value) for name, value in found.items() if value}
    if options.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    return options


def _digest(tags: DataFrame) -> str:
    """The same for the same rows, in whatever order."""
    texts = F.to_json(F.struct(*tags.columns), {"ignoreNullFields": "false"})
    number, total = hash_sum(tags, [texts])
    return f"{number} {total}"
