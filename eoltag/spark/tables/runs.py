"""What a run writes of itself into runs/<run_id>.json, before it adds its plan and its summary."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from eoltag import __version__
from eoltag.bundle.staging import Staged
from eoltag.decide.task import Task, rule_conditions
from eoltag.spark.requests import TagRequest
from eoltag.spark.tables.output import Output


def run_document(tasks: list[Task], output: Output) -> dict[str, Any]:
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
            }
            for task in tasks
        },
    }


def request_document(request: TagRequest, staged: Staged) -> dict[str, Any]:
    """What was asked for."""
    return {
        "job": "tag_bundles",
        "bundle_arguments": request.bundles,
        "bundles": staged.bundles,
        "rows": staged.rows,
        "skipped_lines": staged.skipped_lines,
        "notes": staged.notes,
        "limit": request.limit,
        "sample": request.sample,
        "seed": request.seed,
        "retry_failed": request.retry_failed,
        "refresh_older_than_days": request.refresh_older_than_days,
        "settings": request.settings.model_dump(mode="json"),
    }
