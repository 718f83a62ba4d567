"""A task as it was when it was decided: written into the note of a decision, and read back without its packages."""

from pathlib import Path
from typing import Any

from eoltag.decide.task import Task, TaskFile
from eoltag.errors import OutputError
from eoltag.model.package import Card, Package
from eoltag.settings import parse
from eoltag.spark.tables.decided import DecidedNote
from eoltag.spark.tables.models import read_models
from eoltag.spark.tables.output import Output


def recorded(task: Task) -> dict[str, Any]:
    """The task file, and of each package what rules take from it."""
    return {
        "content": task.file.model_dump(mode="json"),
        "models": {name: package.version for name, package in task.packages.items()},
        "thresholds": {name: package.card.thresholds for name, package in task.packages.items()},
        "promises": _promises(next(iter(task.packages.values())).card),
    }


def _promises(card: Card) -> dict[str, Any]:
    """Label -> the error that its threshold promises, as `train thresholds` chose it; of the first model."""
    record = card.threshold_record
    return {
        label: {"max_error": record["max_error"], "confidence_level": record["confidence_level"]}
        for label in record.get("chosen", {})
    }


def recorded_task(output: Output, name: str, note: DecidedNote) -> Task:
    """The task that a note tells of, with what models/VERSION.json says of its models. Raises OutputError."""
    path = output.path("decided", f"{name}.json")
    if not note.task:
        raise OutputError(f"{path}: does not say how the task was decided; run eoltag decide over it again")
    known, packages = read_models(output), {}
    for model, version in note.task["models"].items():
        record = known.get(version)
        if record is None:
            raise OutputError(
                f"{output.path('models', f'{version}.json')}: is missing; task '{name}' was decided by it"
            )
        said: dict[str, Any] = {
            "name": record.name, "labels": record.labels, "temperature": record.temperature,
            "output_kind": record.output_kind, "thresholds": note.task["thresholds"][model],
        }  # fmt: skip
        packages[model] = Package(Path("models") / version, Card.model_construct(**said), version)
    return Task(Path(path), parse(TaskFile, note.task["content"], path, OutputError), packages, tuple(note.kept))
