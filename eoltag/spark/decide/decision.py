"""Decides a task: its tags table and exported files from what is stored, and a note of what they were made from."""

import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from eoltag import __version__
from eoltag.decide.task import Task, extra_columns, rule_conditions
from eoltag.report import Changes
from eoltag.spark.decide.changes import Compared, compare_tags
from eoltag.spark.decide.checking import naming_the_rule
from eoltag.spark.decide.judgements import judgements_digest
from eoltag.spark.decide.recorded import recorded
from eoltag.spark.decide.rules import facts_of, tag_rows, tags_schema
from eoltag.spark.tables.bundles import kept_bundles, rows_of
from eoltag.spark.tables.decided import DecidedNote, read_note, write_note
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import has_tags, place_tags, read_tags, stage_tags
from eoltag.spark.tables.writers.changes import drop_changes, export_changes
from eoltag.spark.tables.writers.delta import LOG, check_delta
from eoltag.spark.tables.writers.export import export_tags, exported_files

_log: Final = logging.getLogger(__name__)


def decide(output: Output, task: Task, digests: Mapping[str, str], *, has_delta: bool = False) -> Changes | None:
    """Tags and exported files of every bundle that the task was given, after begin_change; what changed by that.

    digests: of the bundles whose rows this run has replaced. has_delta: also write files of only what changed. None
    where the task had no tags before.
    """
    return write_files(output, task, digests, write_tags(output, task, has_delta=has_delta), has_delta=has_delta)


def write_tags(output: Output, task: Task, *, has_delta: bool) -> Compared:
    """The first half of decide: the tags are in their place."""
    with naming_the_rule(output.session, task):
        _log.info("deciding task %s", task.name)
        tags = stage_tags(output, tag_rows(rows_of(output, task), facts_of(output), task))
        compared = compare_tags(output, task, tags, with_rows=has_delta)
        place_tags(output, task.name)
    return compared


def write_files(
    output: Output, task: Task, digests: Mapping[str, str], compared: Compared, *, has_delta: bool
) -> Changes | None:
    """The second half of decide: the files are written from the tags, and the note says that the task is decided."""
    with naming_the_rule(output.session, task):
        _log.info("writing the files of task %s", task.name)
        export_tags(output, task)
        if has_delta:
            export_changes(output, task, compared.marked(read_tags(output, task.name)), compared.gone)
        else:
            drop_changes(output, task)
    bundles = {**kept_bundles(output, task.name), **digests}
    files = {path: sha256_of(output, path) for path in exported_files(output, task)}
    kept, said = list(task.kept), recorded(task)
    write_note(output, task.name, DecidedNote(_digest(output, task), bundles, files, output.run_id, said, kept))
    return compared.changes


def sha256_of(output: Output, path: str) -> str:
    """That of an exported file; empty for the log of a Delta table, which is a folder and has sums of its own."""
    return "" if path.endswith(LOG) else output.files.sha256(output.path(path))


def leave(output: Output, task: Task, *, has_delta: bool = False) -> Changes:
    """What changes in a run that has nothing to decide. has_delta: as in decide; there are no such files then."""
    if has_delta:
        drop_changes(output, task)
    return Changes(0, 0, 0)


def begin_change(output: Output, task: Task, bundles: Collection[str] = ()) -> None:
    """Note that tags and exported files may be behind what they are made from, until the task is decided.

    bundles: those that the task is given now. Where the note said so already, a killed run may have replaced the rows
    of any bundle. Raises TaskError for a format of the tags that cannot be written there.
    """
    check_delta(output, task)
    note = read_note(output, task.name)
    known = note.bundles if note.decision else dict.fromkeys(note.bundles, "")
    given = {**dict.fromkeys(bundles, ""), **known}
    write_note(output, task.name, replace(note, decision="", bundles=given, files={}, kept=list(task.kept)))


def is_decided(output: Output, task: Task, digests: Mapping[str, str]) -> bool:
    """Whether tags and exported files are there, and were made from just these bundle rows, rules and models."""
    note = read_note(output, task.name)
    return (
        note.decision == _digest(output, task)
        and note.kept == list(task.kept)
        and bool(note.task)
        and dict(digests).items() <= note.bundles.items()
        and has_tags(output, task.name)
        and set(note.files) <= set(exported_files(output, task))
    )


def _digest(output: Output, task: Task) -> str:
    """A digest of all but the rows that a decision depends on; thresholds as the packages' cards have them."""
    versions = {name: package.version for name, package in task.packages.items()}
    content: list[object] = [__version__, versions, rule_conditions(task), extra_columns(task)]
    content += tags_schema(task).fieldNames() if task.file.multiple else []
    content += [task.file.model_dump(mode="json", exclude={"publish"}), judgements_digest(output)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
