"""Columns of the bundles that `--keep` takes along into tags, rules and files, whatever the task file says."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from eoltag.decide.task import NAME, Task, bundle_columns, pairs, tsv_columns
from eoltag.errors import SettingsError

IN_EVERY_BUNDLE: Final = ("eolMediaURL", "identifier", "dataObjectVersionID", "ancestry")
"""In every tags table already: to keep one puts it into the files, where the task leaves it out."""


def keeping(task: Task, kept: Sequence[str]) -> Task:
    """The task with further columns of the bundles, each COLUMN or NAME=COLUMN, in its tags, rules and files.

    Raises SettingsError for a name that no table can have, or that the task has given to something else.
    """
    if not kept:
        return task
    names = named(kept)
    added = [f"{name}={column}" for name, column in names.items() if name not in IN_EVERY_BUNDLE]
    fresh = [pair for pair in added if not _is_there(pair, task)]
    headers = {header.lower() for header, _ in tsv_columns(task)}
    update = {
        "bundle_columns": (*task.file.bundle_columns, *fresh),
        "columns": (*task.file.columns, *(name for name in names if name.lower() not in headers)),
    }
    return replace(task, file=task.file.model_copy(update=update), kept=tuple(kept))


def named(kept: Iterable[str]) -> dict[str, str]:
    """Name in tables -> column of the bundles, each once. Raises SettingsError for an unusable name."""
    known = {name.lower(): name for name in IN_EVERY_BUNDLE}
    found: dict[str, str] = {}
    for name, column in pairs(kept):
        if not re.match(NAME, name):
            usable = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
            example = f"'{usable}={column}'" if re.match(NAME, usable) else f"'NAME={column}'"
            raise SettingsError(
                f"--keep: {name!r} is no usable name for a column (letters, digits, _); write {example}"
            )
        found[known.get(name.lower(), name)] = column
    return found


def further_names(kept: Iterable[str]) -> list[str]:
    """The names in the tags table of what is kept beside the columns that every bundle has."""
    return [name for name in named(kept) if name not in IN_EVERY_BUNDLE]


def may_lack(task: Task) -> set[str]:
    """Columns of the bundles that only `--keep` names, so that a bundle without them is no error, in lower case."""
    return {column.lower() for column in named(task.kept).values()}


def _is_there(pair: str, task: Task) -> bool:
    """Whether the task names this column itself. Raises SettingsError where its name means something else there."""
    [(name, column)] = pairs([pair])
    there = {one.lower(): of for one, of in bundle_columns(task).items()}
    if name.lower() in there:
        if there[name.lower()].lower() == column.lower():
            return True
        raise SettingsError(f"--keep {name}={column}: task '{task.name}' calls the column {there[name.lower()]!r} so")
    if name.lower() in {one.lower() for one in (*task.file.models, *task.file.extras, *task.file.features)}:
        raise SettingsError(
            f"--keep {column}: task '{task.name}' has a model, feature or column of its own called '{name}'; "
            f"write 'bundle_{name}={column}'"
        )
    return False
