"""Decides a task: its tags table and exported files from what is stored, and a note of what they were made from.

The note, decided/T.json, holds a digest of rules, models and eoltag, one of the rows of each bundle, and the names of
the exported files. While a run changes anything it says nothing, so that a killed run is noticed.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from eoltag import __version__
from eoltag.decide.task import Task, bundle_columns, extra_columns, rule_conditions
from eoltag.spark.decide.checking import naming_the_rule
from eoltag.spark.decide.rules import tag_rows
from eoltag.spark.tables.bundles import bundle_names, read_bundles
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.predictions import read_predictions
from eoltag.spark.tables.tags import has_tags, replace_tags
from eoltag.spark.tables.writers.export import export_tags, exported_files

FOLDER: Final = "decided"


def decide(output: Output, task: Task, digests: Mapping[str, str]) -> None:
    """Tags and exported files of every bundle that the task was given, after begin_change.

    digests: of the bundles whose rows this run has replaced.
    """
    with naming_the_rule(output.session, task):
        rows = read_bundles(output, task.name, bundle_columns(task).values())
        replace_tags(output, tag_rows(rows, read_predictions(output), task), task.name)
        export_tags(output, task)
    bundles = {**_read(output, task)["bundles"], **digests}
    _write(output, task, {"decision": _digest(task), "bundles": bundles, "files": exported_files(output, task)})


def begin_change(output: Output, task: Task) -> None:
    """Note that tags and exported files may be behind what they are made from, until the task is decided.

    Where they were already, a killed run may have replaced the rows of any bundle.
    """
    note = _read(output, task)
    bundles = note["bundles"] if note["decision"] else {}
    _write(output, task, {"decision": "", "bundles": bundles, "files": []})


def is_decided(output: Output, task: Task, digests: Mapping[str, str]) -> bool:
    """Whether tags and exported files are there, and were made from just these bundle rows, rules and models."""
    note = _read(output, task)
    return (
        note["decision"] == _digest(task)
        and dict(digests).items() <= note["bundles"].items()
        and set(digests) <= set(bundle_names(output, task.name))
        and has_tags(output, task.name)
        and set(note["files"]) <= set(exported_files(output, task))
    )


def _digest(task: Task) -> str:
    """A digest of all but the rows that a decision depends on; thresholds as the packages' cards have them."""
    versions = {name: package.version for name, package in task.packages.items()}
    content = [__version__, versions, rule_conditions(task), extra_columns(task), task.file.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _path(output: Output, task: Task) -> str:
    return output.path(FOLDER, f"{task.name}.json")


def _read(output: Output, task: Task) -> dict[str, Any]:
    nothing: dict[str, Any] = {"decision": "", "bundles": {}, "files": []}
    try:
        return {**nothing, **json.loads(output.files.read_text(_path(output, task)))}
    except (OSError, ValueError, TypeError):  # not there, or cut short by a kill: it says nothing
        return nothing


def _write(output: Output, task: Task, note: dict[str, Any]) -> None:
    output.files.write_text(_path(output, task), json.dumps(note) + "\n")
