"""Decides a task: its tags table and exported files from what is stored, and a note of what they were made from."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace

from eoltag import __version__
from eoltag.decide.task import Task, bundle_columns, extra_columns, rule_conditions
from eoltag.spark.decide.checking import naming_the_rule
from eoltag.spark.decide.rules import facts_of, tag_rows
from eoltag.spark.tables.bundles import read_bundles
from eoltag.spark.tables.decided import DecidedNote, read_note, write_note
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import has_tags, replace_tags
from eoltag.spark.tables.writers.delta import check_delta
from eoltag.spark.tables.writers.export import export_tags, exported_files


def decide(output: Output, task: Task, digests: Mapping[str, str]) -> None:
    """Tags and exported files of every bundle that the task was given, after begin_change.

    digests: of the bundles whose rows this run has replaced.
    """
    with naming_the_rule(output.session, task):
        rows = read_bundles(output, task.name, bundle_columns(task).values())
        replace_tags(output, tag_rows(rows, facts_of(output), task), task.name)
        export_tags(output, task)
    bundles = {**read_note(output, task.name).bundles, **digests}
    write_note(output, task.name, DecidedNote(_digest(task), bundles, exported_files(output, task)))


def begin_change(output: Output, task: Task, bundles: Collection[str] = ()) -> None:
    """Note that tags and exported files may be behind what they are made from, until the task is decided.

    bundles: those that the task is given now. Where the note said so already, a killed run may have replaced the rows
    of any bundle. Raises TaskError for a format of the tags that cannot be written there.
    """
    check_delta(output, task)
    note = read_note(output, task.name)
    known = note.bundles if note.decision else dict.fromkeys(note.bundles, "")
    write_note(output, task.name, replace(note, decision="", bundles={**dict.fromkeys(bundles, ""), **known}, files=[]))


def is_decided(output: Output, task: Task, digests: Mapping[str, str]) -> bool:
    """Whether tags and exported files are there, and were made from just these bundle rows, rules and models."""
    note = read_note(output, task.name)
    return (
        note.decision == _digest(task)
        and dict(digests).items() <= note.bundles.items()
        and has_tags(output, task.name)
        and set(note.files) <= set(exported_files(output, task))
    )


def _digest(task: Task) -> str:
    """A digest of all but the rows that a decision depends on; thresholds as the packages' cards have them."""
    versions = {name: package.version for name, package in task.packages.items()}
    content = [__version__, versions, rule_conditions(task), extra_columns(task), task.file.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
