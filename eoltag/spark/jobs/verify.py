"""Check an output directory: rows, files, decisions, publications. Writes nothing, touches no image."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from eoltag.bundle.staging import local_files, stage
from eoltag.bundle.taking import EVERYTHING
from eoltag.errors import ExitCode, OutputError
from eoltag.settings import FetchSettings
from eoltag.spark.decide.recorded import recorded_task
from eoltag.spark.predict.remote import fetch_bundles
from eoltag.spark.requests import VerifyRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session, prepare_for
from eoltag.spark.tables.bundles import rows_at_most
from eoltag.spark.tables.decided import FOLDER, decided_tasks, read_note
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.verify.decisions import Decided, check_exports, check_facts, check_tags
from eoltag.spark.verify.finding import Finding
from eoltag.spark.verify.layout import check_documents, check_layout, check_models, check_schemas
from eoltag.spark.verify.lists import check_lists
from eoltag.spark.verify.publications import check_publications

_log: Final = logging.getLogger(__name__)

_LONGEST: Final = 200
"""Characters of what Spark says."""

__all__ = ["verify_output"]


def verify_output(request: VerifyRequest) -> ExitCode:
    """Print what is wrong in an output directory, or that nothing is. Raises UsageError."""
    with TemporaryDirectory(prefix="eoltag-", ignore_cleanup_errors=True) as folder:
        files = local_files(list(request.bundles), Path(folder), FetchSettings(), fetch_bundles)
        staged = stage(files, Path(folder) / "rows", EVERYTHING) if request.bundles else None
        output = open_output(open_session("eoltag verify"), request.output)
        if not decided_tasks(output):
            raise OutputError(f"{output.root}: wanted the --output directory of a run; it holds no decided task")
        prepare_for(output.session, rows_at_most(output))
        output.session.sparkContext.setLogLevel("OFF")  # what Spark cannot read becomes a finding, not a stack trace
        found = verify(output)
        if staged is not None:
            found += check_lists(output, staged)
    document = {"output": output.root, "findings": [{"place": one.place, "what": one.what} for one in found]}
    show(document, _text(output, found), as_json=request.as_json)
    return ExitCode.REFUSED if found else ExitCode.DONE


def verify(output: Output) -> list[Finding]:
    """All that is wrong. Where a table cannot be read as what it is, no row is looked at."""
    _log.info("looking at files, documents and tables")
    tasks, unreadable = decided_tasks(output), [*check_schemas(output)]
    found = [*check_layout(output, tasks), *check_documents(output), *unreadable, *check_models(output)]
    if not unreadable:
        found += _as_far_as_read("images, scores", check_facts(output))
        for name in tasks:
            _log.info("deciding task %s again, to compare", name)
            found += _as_far_as_read(f"tags/task={name}", _check_task(output, name))
    return [*found, *_as_far_as_read("published", check_publications(output))]


def _as_far_as_read(place: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings, and at last that Spark could not read a table, where that is so."""
    try:
        yield from findings
    except (PySparkException, Py4JError) as problem:
        cause = str(problem).strip().splitlines()[0][:_LONGEST]
        yield Finding(place, f"cannot be read by Spark, so that not all was looked at ({cause})")


def _check_task(output: Output, name: str) -> Iterator[Finding]:
    note = read_note(output, name)
    try:
        decided = Decided(name, note, recorded_task(output, name, note))
    except OutputError as problem:
        yield Finding(f"{FOLDER}/{name}.json", str(problem))
        return
    yield from check_tags(output, decided)
    yield from check_exports(output, decided)


def _text(output: Output, found: Sequence[Finding]) -> str:
    if not found:
        return f"{output.root}: nothing is wrong (tasks: {', '.join(decided_tasks(output))})"
    return "\n".join([f"{output.root}: {len(found)} findings", *(f"  {one}" for one in found)])
