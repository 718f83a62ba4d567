"""The note decided/T.json: which bundles a task was given, and what its tags and files were made from."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from eoltag.spark.tables.output import Output

FOLDER: Final = "decided"


@dataclass(frozen=True, slots=True)
class DecidedNote:
    """While a run changes anything, `decision` is empty and says nothing, so that a killed run is noticed."""

    decision: str = ""
    """A digest of rules, models and eoltag."""
    bundles: dict[str, str] = field(default_factory=dict)
    """Every bundle that the task was given -> a digest of its rows as they were decided; empty where unknown."""
    files: dict[str, str] = field(default_factory=dict)
    """The exported files: path below the output -> sha256."""
    run_id: str = ""
    """The run that decided."""
    task: dict[str, Any] = field(default_factory=dict)
    """The task as it was; see recorded."""
    kept: list[str] = field(default_factory=list)
    """What --keep took along, for every later decision: see decide.keeping."""


def read_note(output: Output, task: str) -> DecidedNote:
    """What is known of a task; nothing for a new one."""
    try:
        return DecidedNote(**json.loads(output.files.read_text(_path(output, task))))
    except (OSError, ValueError, TypeError):  # not there, or cut short by a kill
        return DecidedNote()


def write_note(output: Output, task: str, note: DecidedNote) -> None:
    """Replace the note whole."""
    output.check_lock()
    output.files.write_text(_path(output, task), json.dumps(asdict(note)) + "\n")


def decided_tasks(output: Output) -> list[str]:
    """Every task that was ever decided here, or was about to be."""
    names = output.files.names(output.path(FOLDER))
    return [name.removesuffix(".json") for name in names if name.endswith(".json")]


def bundles_of(output: Output, task: str) -> list[str]:
    """Every bundle that the task was ever given."""
    return sorted(read_note(output, task).bundles)


def _path(output: Output, task: str) -> str:
    return output.path(FOLDER, f"{task}.json")
