"""Lists that are known byte for byte: what reading them gave, so that a run with nothing to do need not read them.

decided/_lists holds a small file for each of the latest sets of lists. A set is known as a whole or not at all, since
the names of bundles depend on each other, and so do the columns of download lists.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from eoltag import __version__
from eoltag.bundle.staging import Staged, is_remote
from eoltag.decide.task import Task
from eoltag.spark.predict.plan import Redo
from eoltag.spark.state.unchanged import FOLDER, Digests, digests_noted, is_idle
from eoltag.spark.tables.output import Output

MOST_SETS: Final = 100
"""Kept; those that were read first are dropped first."""
Files = Sequence[tuple[str, Path]]
"""As sources.local_files gives them."""
_LISTS: Final = "_lists"
"""No task has that name: theirs begin with a letter."""


def key_of(files: Files) -> str | None:
    """What tells sets of lists apart: names and content of all, in their order, and the eoltag that reads them.

    None where one is no plain file, such as a pipe, or cannot be read.
    """
    contents = []
    try:
        for origin, path in files:
            if not path.is_file():
                return None
            with path.open("rb") as file:
                contents.append((origin, hashlib.file_digest(file, "sha256").hexdigest()))
    except OSError:  # reading the list will say why
        return None
    return hashlib.sha256(json.dumps([__version__, contents]).encode()).hexdigest()


def may_be_known(root: str, key: str | None) -> bool:
    """Is it worth starting Spark before the lists are read? Of a local output directory it can be told without."""
    if key is None:
        return False
    return is_remote(root) or any(Path(root, FOLDER, _LISTS).glob(f"*_{key}.json"))


def recall(output: Output, tasks: list[Task], key: str | None, redo: Redo) -> Staged | None:
    """What reading these lists would give, where a run over them has nothing to do; else None: read them and see."""
    known = None if key is None else _read(output, key)
    if known is None:
        return None
    staged, digests = known
    if all(is_idle(output, task, digests, redo) for task in tasks):
        return staged
    return None


def learn(output: Output, task: Task, key: str | None, files: Files, staged: Staged) -> None:
    """Keep what reading these lists gave, once a run has read them whole and noted their bundles for `task`.

    key: of the files before they were read; where they are others by now, nobody knows which were.
    """
    if key is None or _read(output, key) or key_of(files) != key:
        return
    digests = digests_noted(output, task)
    known = {
        "bundles": {bundle: digests[bundle] for bundle in staged.bundles},
        "rows": staged.rows,
        "bad_rows": staged.bad_rows,
        "skipped_lines": staged.skipped_lines,
        "notes": staged.notes,
    }
    output.files.write_text(_path(output, f"{output.run_id}_{key}.json"), json.dumps(known) + "\n")
    for name in output.files.names(_path(output))[:-MOST_SETS]:
        output.files.delete(_path(output, name))


def _read(output: Output, key: str) -> tuple[Staged, Digests] | None:
    name = _name(output, key)
    if name is None:
        return None
    try:
        known: dict[str, Any] = json.loads(output.files.read_text(_path(output, name)))
        digests: Digests = known.pop("bundles")
        return Staged(Path(), list(digests), **known, is_known=True), digests
    except (ValueError, TypeError, KeyError, AttributeError):  # cut short by a kill, or meddled with: it says nothing
        return None


def _name(output: Output, key: str) -> str | None:
    names = [name for name in output.files.names(_path(output)) if name.endswith(f"_{key}.json")]
    return names[-1] if names else None


def _path(output: Output, *parts: str) -> str:
    return output.path(FOLDER, _LISTS, *parts)
