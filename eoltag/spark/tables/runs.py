"""One run of the main job as a value; and the record of any run, runs/<run_id>.json."""

import json
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from eoltag import __version__
from eoltag.bundle.staging import Staged, for_the_record
from eoltag.decide.task import Task, rule_conditions
from eoltag.spark.requests import TagRequest
from eoltag.spark.tables.output import Output

NOTHING_TO_DO: Final = "nothing to do: no row, rule or model is new or changed; tags and TSV files stay as they are"
"""The note of a run that changed nothing."""
RUNNING: Final = "running"
DONE: Final = "done"
"""`status` of a record: whether everything that the run makes was there when it was written."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the main job. Every step takes this, and from it what the step needs."""

    output: Output
    tasks: list[Task]
    staged: Staged
    """The rows of the bundles, read and on the driver's disk."""
    request: TagRequest


def write_record(output: Output, record: dict[str, Any]) -> None:
    """runs/<run_id>.json, replaced whole."""
    output.check_lock()
    output.files.write_text(output.path("runs", f"{output.run_id}.json"), json.dumps(record, indent=2) + "\n")


def did_nothing(record: dict[str, Any]) -> bool:
    """Whether the run of this record left tags and facts as they were, so that comparing with it says nothing."""
    return NOTHING_TO_DO in record.get("summary", {}).get("notes", [])


def is_last_unfinished(output: Output) -> bool:
    """Whether the run before this one has ended before it was done, so that its views or its page may be missing."""
    before = [name for name in output.files.names(output.path("runs")) if name < f"{output.run_id}.json"]
    if not before:
        return False
    try:
        document = json.loads(output.files.read_text(output.path("runs", before[-1])))
    except ValueError:  # cut short by a kill
        return True
    return not isinstance(document, dict) or document.get("status") != DONE


def record_of(run: Run) -> dict[str, Any]:
    """What a run of the main job says of itself before it adds its plan and its summary."""
    request, staged = run.request, run.staged
    return {
        **task_record(run.output, run.tasks),
        "job": "tag_bundles",
        "bundle_arguments": for_the_record(request.bundles),
        "bundles": staged.bundles,
        "rows": staged.rows,
        "skipped_lines": staged.skipped_lines,
        "notes": staged.notes,
        **asdict(request.taking),
        "sample": request.sample,
        "seed": request.seed,
        "keep": {task.name: list(task.kept) for task in run.tasks},
        "retry_failed": request.retry_failed,
        "refresh_older_than_days": request.refresh_older_than_days,
        "settings": request.settings.model_dump(mode="json"),
    }


def notes_of(run: Run) -> list[str]:
    """What may surprise whoever reads the summary or the plan of a run."""
    request, staged = run.request, run.staged
    notes = [*(note for task in run.tasks for note in task.taken), *staged.notes]
    if staged.skipped_lines:
        notes.append(f"{staged.skipped_lines:,} blank or comment lines skipped")
    if request.taking.is_part or request.sample is not None:
        notes.append(
            "only a part of the bundles' rows was asked for (--limit, --sample, --from-row, --to-row): tags and TSV "
            "hold only that part until a run over all"
        )
    return notes


def task_record(output: Output, tasks: list[Task]) -> dict[str, Any]:
    """What ran, for whoever reads the tables in a year."""
    return {
        "run_id": output.run_id,
        "started_at": datetime.now(UTC).isoformat(),
        "eoltag": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("pyspark", "openvino", "pillow", "aiohttp", "pyarrow")},
        "spark_master": output.session.sparkContext.master,
        "tasks": {
            task.name: {
                "file": str(task.path),
                "content": task.file.model_dump(mode="json"),
                "conditions": dict(rule_conditions(task)),
                "models": {name: package.version for name, package in task.packages.items()},
                "model_paths": {
                    name: package.origin or str(package.path.resolve()) for name, package in task.packages.items()
                },
            }
            for task in tasks
        },
    }
