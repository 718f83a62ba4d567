"""Is there anything to do at all? A note beside the tables says what tags and TSV files were made from.

decided/T.json holds the task as it was and, for each bundle, how many rows it had and a digest of them. It is
marked while a run changes anything, and otherwise tags and TSV files are in step with predictions and bundles. Beside
that it holds the models and the sizes of the tables, so that tags may be decided again from the tags themselves, and
what the tables were last seen to hold: rows of each bundle by outcome and tag, and which bundles are answered for good.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag import __version__
from eoltag.decide.task import Task, extra_columns, rule_conditions
from eoltag.records import Outcome
from eoltag.spark.predict.plan import Redo
from eoltag.spark.state.counting import Group, Groups, TableCounts, count_table
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import IDENTITY
from eoltag.spark.tables.tsv import FAILED, TAGGED

FOLDER: Final = "decided"

Digests = dict[str, list[str]]
"""Bundle -> number of rows, and what changes with any of them: sha256 of the staged file, or their sum of hashes."""


def digests_of(rows: DataFrame) -> Digests:
    """Of bundle rows, whatever their order."""
    hashed = F.sum(F.xxhash64(*IDENTITY).cast("decimal(38,0)"))
    counted = rows.groupBy("bundle").agg(F.count(F.lit(1)), hashed).collect()
    return {bundle: [str(count), str(total)] for bundle, count, total in counted}


def is_in_step(output: Output, tasks: list[Task]) -> bool:
    """Tags and TSV files of these tasks are as these rules and models make them of the rows they were made from."""
    return all(_is_in_step(_read(output, task), task) for task in tasks)


def is_unchanged(output: Output, tasks: list[Task], digests: Digests) -> bool:
    """The tags and TSV files of these tasks were made from just these bundle rows, rules and models, and are there."""
    return all(_is_unchanged(_read(output, task), output, task, digests) for task in tasks)


def is_idle(output: Output, task: Task, digests: Digests, redo: Redo) -> bool:
    """Surely a run over just these bundle rows would change nothing and ask for none of them again."""
    note = _read(output, task)
    if not _is_unchanged(note, output, task, digests) or note["seen"] != _made_of(output, task):
        return False
    if not set(digests) <= set(note["settled"]):
        return False
    groups = _groups(note)
    if groups is None:
        return not redo.failed and redo.before is None
    return not any(group.is_outdated(redo) for bundle in digests for group in groups.get(bundle, []))


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the note says of the tags table, for whoever would decide from it."""

    is_current: bool = False
    """It was made of the predictions of these models and of the bundle rows as they lie there now."""
    is_plain: bool = False
    """No identity column holds a tab or a line break; said of a current table only."""


def tagged(output: Output, task: Task) -> Tagged:
    """Of the tags table as it lies there."""
    known = _read(output, task)
    is_current = bool(known["is_in_step"]) and known["made_of"] == _made_of(output, task)
    return Tagged(is_current, is_current and bool(known["is_plain"]))


def remember(output: Output, task: Task, digests: Digests | None, *, is_plain: bool, counted: TableCounts) -> None:
    """Note what was decided. digests: of the bundles that this run has written; None where it has written none.

    is_plain: see Tagged. counted: of the tags table as it lies there.
    """
    noted = _read(output, task)["bundles"]
    note = {
        "is_in_step": True,
        "task": _digest(task),
        "bundles": noted if digests is None else {**noted, **digests},
        "made_of": _made_of(output, task),
        "is_plain": is_plain,
        **_seen(output, task, counted),
    }
    _write(output, task, note)


def confirm(output: Output, tasks: list[Task], bundles: Iterable[str]) -> None:
    """Note that no row of these unchanged bundles would be asked for again, as a plan over them has just shown.

    What was noted of other bundles stays where the tables are still those it was noted of.
    """
    for task in tasks:
        before = _read(output, task)
        is_seen = before["seen"] == _made_of(output, task)
        note = before if is_seen else {**before, **_seen(output, task, count_table(output, task))}
        note = {**note, "settled": sorted({*note["settled"], *bundles})}
        if note != before:
            _write(output, task, note)


def groups_seen(output: Output, tasks: list[Task]) -> list[Groups] | None:
    """Rows of each bundle by outcome and tag, task by task; None where they are too many or the tables changed."""
    found = []
    for task in tasks:
        note = _read(output, task)
        groups = _groups(note)
        if groups is None or note["seen"] != _made_of(output, task):
            return None
        found.append(groups)
    return found


def digests_noted(output: Output, task: Task) -> Digests:
    """Of the bundle rows that tags and TSV files were made from."""
    digests: Digests = _read(output, task)["bundles"]
    return digests


def forget(output: Output, task: Task) -> None:
    """From here on tags and TSV files may be behind what they are made from.

    Where they were already, a killed run may have replaced the rows of any bundle.
    """
    note = _read(output, task)
    _write(output, task, {**note, "is_in_step": False, "bundles": note["bundles"] if note["is_in_step"] else {}})


def _is_unchanged(note: dict[str, Any], output: Output, task: Task, digests: Digests) -> bool:
    if not _is_in_step(note, task):
        return False
    if any(note["bundles"].get(bundle) != digest for bundle, digest in digests.items()):
        return False
    groups = _groups(note) or {}
    wanted = {f"{bundle}_{TAGGED}.tsv" for bundle in digests}
    wanted |= {f"{bundle}_{FAILED}.tsv" for bundle in digests if _has_failed(groups, bundle)}
    has_files = wanted <= set(output.files.names(output.path("tsv", task.name)))
    return has_files and output.files.exists(output.path("tags", f"task={task.name}"))


def _has_failed(groups: Groups, bundle: str) -> bool:
    return any(group.outcome not in (None, Outcome.OK.value) for group in groups.get(bundle, []))


def _is_in_step(known: dict[str, Any], task: Task) -> bool:
    return bool(known["is_in_step"]) and known["task"] == _digest(task)


def _digest(task: Task) -> str:
    """Of everything but the rows that tags and TSV files depend on; thresholds as the packages' cards have them."""
    versions = {name: package.version for name, package in task.packages.items()}
    expressions = [rule_conditions(task), extra_columns(task), task.file.model_dump(mode="json")]
    content = [__version__, versions, expressions]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _made_of(output: Output, task: Task) -> dict[str, Any]:
    """eoltag, models, and number of files and bytes of each table, which change with any row that comes or goes."""
    versions = {name: package.version for name, package in task.packages.items()}
    tables = ("predictions", "bundles", "tags")
    sizes = {table: list(output.files.size(output.path(table, f"task={task.name}"))) for table in tables}
    return {"eoltag": __version__, "models": versions, "features": list(task.file.features), **sizes}


def _seen(output: Output, task: Task, counted: TableCounts) -> dict[str, Any]:
    """What the tables hold now."""
    return {"seen": _made_of(output, task), "groups": counted.groups, "settled": counted.settled}


def _groups(note: dict[str, Any]) -> Groups | None:
    if note["groups"] is None:
        return None
    return {bundle: [Group(*cells) for cells in groups] for bundle, groups in note["groups"].items()}


def _path(output: Output, task: Task) -> str:
    return output.path(FOLDER, f"{task.name}.json")


def _read(output: Output, task: Task) -> dict[str, Any]:
    nothing: dict[str, Any] = {"is_in_step": False, "task": "", "bundles": {}, "made_of": {}, "is_plain": False}
    nothing |= {"seen": {}, "groups": None, "settled": []}
    path = _path(output, task)
    if not output.files.exists(path):
        return nothing
    try:
        return {**nothing, **json.loads(output.files.read_text(path))}
    except (ValueError, TypeError):  # cut short by a kill: it says nothing
        return nothing


def _write(output: Output, task: Task, content: dict[str, Any]) -> None:
    output.files.write_text(_path(output, task), json.dumps(content) + "\n")
