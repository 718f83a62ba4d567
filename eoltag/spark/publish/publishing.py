"""Publishing some tasks: the guards, the new folder, the switch. For the job of that name, and at the end of a run."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from eoltag.decide.task import Task
from eoltag.errors import ExitCode, OutputError, UsageError
from eoltag.publish.guards import Limits, Measured, drifts, refusals
from eoltag.publish.manifest import FOLDER, Manifest, PublishedTask
from eoltag.publish.text import drift_lines, planned_text, publication_text, refusal_text
from eoltag.settings import PublishSettings
from eoltag.spark.decide.decision import is_decided
from eoltag.spark.publish.build import build
from eoltag.spark.publish.measure import measure
from eoltag.spark.publish.state import describe_task, lapse_certificate, state_of
from eoltag.spark.publish.versions import (
    broken_off,
    complete_versions,
    forget_old,
    read_current,
    read_manifest,
    switch_to,
)
from eoltag.spark.report.refusal import write_refusal
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.output import Output

_log: Final = logging.getLogger(__name__)

PLANNED: Final = "would be published"


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing some tasks."""

    manifest: Manifest | None
    """The publication that is current now; None where a guard refused."""
    how: str
    """How it came to be current; empty where a guard refused."""
    reasons: Sequence[str] = ()
    measured: Mapping[str, Measured] | None = None
    page: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """4 where a guard refused."""
        return ExitCode.DONE if self.manifest is not None else ExitCode.REFUSED

    def text(self, output: Output) -> str:
        """For a person."""
        if self.manifest is None:
            return refusal_text(self.reasons, self.measured or {}, self.page)
        if self.how == PLANNED:
            return planned_text(self.manifest)
        text = publication_text(self.manifest, output.path(FOLDER, self.manifest.version), self.how)
        return "\n".join([text, *drift_lines(self.measured or {})])

    def document(self) -> dict[str, object]:
        """For --json."""
        if self.manifest is None:
            return {"status": "refused", "reasons": list(self.reasons), "measured": _plain(self.measured or {})}
        manifest = json.loads(self.manifest.as_json())
        return {"status": self.how, "manifest": manifest, "measured": _plain(self.measured or {})}


def publish(
    output: Output, tasks: Sequence[Task], settings: PublishSettings, limits: Limits, without: Sequence[str] = (), *,
    is_dry_run: bool = False,
) -> Published:  # fmt: skip
    """Make what is decided of these tasks the current publication, where no guard refuses.

    without: tasks of the current publication that the new one is not to have.
    A state that was published before is not written again. Raises OutputError where a task is not decided by its
    present rules, and UsageError where the current publication has a task that is not named.
    """
    _log.info("holding what is decided against the current publication")
    current = read_current(output)
    version = current.version if current is not None else None
    before = read_manifest(output, version) if version is not None else None
    _check(output, tasks, before, without)
    published = {task.name: describe_task(output, task) for task in tasks}
    state = state_of(
        published,
        [read_note(output, task.name).files for task in tasks],
        (settings.title, settings.license, settings.publisher),
    )
    if before is not None and before.state == state:
        return Published(before, "already published")
    measured = {task.name: measure(output, task, version) for task in tasks}
    reasons = [reason for task in tasks for reason in _refusals(task, measured, limits, published)]
    if reasons:
        page = None if is_dry_run else write_refusal(output, reasons, measured)
        for task in () if is_dry_run else tasks:
            lapse_where_drifted(output, task, measured[task.name].drift, "the current publication")
        return Published(None, "", reasons, measured, page)
    if is_dry_run:
        return Published(_planned(output, published, state, settings), PLANNED)
    for leftover in broken_off(output):
        output.files.delete(output.path(FOLDER, leftover))
    known = (read_manifest(output, name) for name in complete_versions(output))
    manifest = next((one for one in known if one.state == state), None)
    _log.info("publishing")
    how = "published again" if manifest is not None else "published"
    manifest = manifest or build(output, tasks, published, state, settings)
    switch_to(output, manifest.version)
    forget_old(output, settings.keep)
    return Published(manifest, how, measured=measured)


def lapse_where_drifted(output: Output, task: Task, drift: Mapping[str, float], against: str) -> list[str]:
    """Let the certificate of a task lapse where its tags or confidences have drifted further than it allows.

    Returns a sentence for each that has. against: what the indices are held against.
    """
    found = drifts(task.name, task.file.publish, drift, against)
    if found:
        lapse_certificate(output, task.name, found[0])
    return found


def _check(output: Output, tasks: Sequence[Task], before: Manifest | None, without: Sequence[str]) -> None:
    for task in tasks:
        if not is_decided(output, task, {}):
            raise OutputError(
                f"{output.root}: the tags of task '{task.name}' were not made by the rules and models of {task.path}, "
                "or a run over them was broken off; run eoltag decide (or tag) first"
            )
    if before is None:
        return
    named = {*without, *(task.name for task in tasks)}
    for name in before.tasks:
        if name not in named:
            raise UsageError(
                f"--task: the current publication {before.version} has task '{name}' as well; name all tasks that the "
                "new one is to have (one that is not wanted any more leaves with --without)"
            )


def _refusals(
    task: Task, measured: Mapping[str, Measured], limits: Limits, published: Mapping[str, PublishedTask]
) -> list[str]:
    found = published[task.name]
    return refusals(task.name, task.file.publish, measured[task.name], limits, found.certificate, found.models)


def _planned(output: Output, published: Mapping[str, PublishedTask], state: str, settings: PublishSettings) -> Manifest:
    """What a publication would say of itself, without files."""
    said = (settings.title, settings.license, settings.publisher)
    return Manifest("", state, "", "", output.run_id, *said, dict(published))


def _plain(measured: Mapping[str, Measured]) -> dict[str, object]:
    """Numbers as JSON takes them: pairs are no keys there."""
    documents: dict[str, object] = {}
    for task, found in measured.items():
        document = {name: value for name, value in asdict(found).items() if name != "comparison"}
        if found.comparison is not None:
            moves = [{"old": old, "new": new, "rows": rows} for (old, new), rows in found.comparison.moves.items()]
            document["comparison"] = {
                "version": found.comparison.version,
                "flip_rate": found.comparison.flip_rate,
                "moves": moves,
                "flips": [asdict(flip) for flip in found.comparison.flips],
            }
        documents[task] = document
    return documents
