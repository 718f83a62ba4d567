"""Is there anything to do at all? A note beside the tables says what tags and TSV files were made from.

decided/T.json holds the task as it was and, for each bundle, how many rows it had and their sum of hashes. It is
marked while a run changes anything, and otherwise tags and TSV files are in step with predictions and bundles. Beside
that it holds the models and the sizes of the tables, so that tags may be decided again from the tags themselves.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag import __version__
from eoltag.decide import Task, extra_columns, rule_conditions
from eoltag.spark.schemas import IDENTITY
from eoltag.spark.tables import Output

FOLDER: Final = "decided"

Digests = dict[str, list[str]]
"""Bundle -> number of rows, sum of the hashes of their columns."""


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
    return all(_is_unchanged(output, task, digests) for task in tasks)


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


def remember(output: Output, task: Task, digests: Digests | None, *, is_plain: bool) -> None:
    """Note what was decided. digests: of the bundles that this run has written; None where it has written none.

    is_plain: see Tagged.
    """
    known = _read(output, task)["bundles"] if digests is None else {**_read(output, task)["bundles"], **digests}
    made_of = _made_of(output, task)
    note = {"is_in_step": True, "task": _digest(task), "bundles": known, "made_of": made_of, "is_plain": is_plain}
    _write(output, task, note)


def forget(output: Output, task: Task) -> None:
    """From here on tags and TSV files may be behind what they are made from."""
    _write(output, task, {**_read(output, task), "is_in_step": False})


def _is_unchanged(output: Output, task: Task, digests: Digests) -> bool:
    known = _read(output, task)
    if not _is_in_step(known, task):
        return False
    if any(known["bundles"].get(bundle) != digest for bundle, digest in digests.items()):
        return False
    written = [name for name in output.files.names(output.path("tsv", task.name)) if name.endswith("_finaltags.tsv")]
    return len(written) >= len(digests) and output.files.exists(output.path("tags", f"task={task.name}"))


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


def _path(output: Output, task: Task) -> str:
    return output.path(FOLDER, f"{task.name}.json")


def _read(output: Output, task: Task) -> dict[str, Any]:
    nothing: dict[str, Any] = {"is_in_step": False, "task": "", "bundles": {}, "made_of": {}, "is_plain": False}
    path = _path(output, task)
    if not output.files.exists(path):
        return nothing
    try:
        return {**nothing, **json.loads(output.files.read_text(path))}
    except (ValueError, TypeError):  # cut short by a kill: it says nothing
        return nothing


def _write(output: Output, task: Task, content: dict[str, Any]) -> None:
    output.files.write_text(_path(output, task), json.dumps(content) + "\n")
