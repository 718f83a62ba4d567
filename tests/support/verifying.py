"""Every output directory that a test left, looked at by `verify`."""

from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import SparkSession

from eoltag.spark.jobs.verify import verify
from eoltag.spark.tables.decided import decided_tasks
from eoltag.spark.tables.output import open_output
from eoltag.spark.tables.schema_version import SCHEMA_FILE

ASKED_BY = "EOLTAG_VERIFY_OUTPUTS"
"""The variable of the environment that asks for it: `make test-outputs` sets it."""


def findings_below(session: SparkSession, folder: Path) -> Iterator[str]:
    """What is wrong in the outputs below a folder, a line each. One without a decided task has nothing to hold."""
    for note in sorted(folder.rglob(SCHEMA_FILE)):
        output = open_output(session, str(note.parent))
        if decided_tasks(output):
            yield from (f"{note.parent.relative_to(folder)}: {finding}" for finding in verify(output))
