"""A task as it was when it was decided: written into the note of a decision, and read back without its packages."""

from pathlib import Path
from typing import Any

from eoltag.decide.task import Task, TaskFile, threshold_placeholder
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
        "promises": _promises(task),
    }


def _promises(task: Task) -> dict[str, Any]:
    """Tag -> the error that thresholds promise for it, as `train thresholds` chose them.

    A label of the first model has its own promise. A tag of another name has the weakest of the labels that its rules
    ask for, where every one of its rules cuts at the threshold of such a label.
    """
    promised = {
        (model, label): {name: package.card.threshold_record[name] for name in ("max_error", "confidence_level")}
        for model, package in task.packages.items()
        for label in package.card.threshold_record.get("chosen", {})
    }
    if not promised:
        return {}
    from eoltag.decide.own_labels import own_labels  # brings sqlglot, which a job with nothing to do need not wait for

    rules = list(zip(task.file.rules, own_labels(task), strict=True))
    found = {label: promise for (model, label), promise in promised.items() if model == next(iter(task.packages))}
    for tag in {rule.tag for rule in task.file.rules} - {None, *found}:
        owners = [
            owner if owner in promised and threshold_placeholder(task, *owner) in rule.when else None
            for rule, owner in rules
            if rule.tag == tag
        ]
        of_rules = [promised[owner] for owner in owners if owner is not None]
        if len(of_rules) == len(owners):
            found[str(tag)] = {
                "max_error": max(one["max_error"] for one in of_rules),
                "confidence_level": min(one["confidence_level"] for one in of_rules),
            }
    return found


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
