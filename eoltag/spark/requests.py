"""The requests of the jobs: their command lines as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eoltag.bundle.taking import Taking
from eoltag.settings import Settings

__all__ = ["CompactRequest", "DecideRequest", "DiffRequest", "ImportRequest", "ReportRequest", "TagRequest"]

IMAGES_PER_FILE: Final = 500_000
"""Rows in one file of a table of facts, where there are that many and they are small."""


@dataclass(frozen=True, slots=True)
class TagRequest:
    """What the command line of jobs/tag_bundles.py asks for."""

    bundles: list[str]
    tasks: list[str]
    output: str
    settings: Settings
    root: Path
    """The project's folder, where conf/tasks lies."""
    models: Sequence[str] = ()
    """TASK=PATH or TASK.MODEL=PATH: packages in place of those that the task files name."""
    taking: Taking = field(default_factory=Taking)
    sample: int | None = None
    seed: int = 0
    retry_failed: bool = False
    refresh_older_than_days: float | None = None
    is_dry_run: bool = False
    is_quiet: bool = False
    as_json: bool = False
    metrics: Path | None = None
    """Where the numbers of the run are written in the text format of Prometheus."""


@dataclass(frozen=True, slots=True)
class DecideRequest:
    """What the command line of jobs/decide_tags.py asks for."""

    tasks: list[str]
    output: str
    root: Path
    as_json: bool = False
    is_dry_run: bool = False
    flips: Path | None = None
    """Where a dry run lists every row whose tag would change; with several tasks, NAME_TASK beside it for each."""
    models: Sequence[str] = ()
    """As those of TagRequest."""


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What the command line of jobs/report_tags.py asks for."""

    output: str
    tasks: list[str]
    """None given: every task that was tagged into this output."""
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """What the command line of jobs/diff_runs.py asks for."""

    task: str
    output: str
    root: Path
    old: str | None = None
    """A run or a model version; None for the run before the last one."""
    new: str | None = None
    csv: Path | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the command line of jobs/import_features.py asks for."""

    vectors: list[str]
    base: str
    """The name of what computed them."""
    output: str
    column: str | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class CompactRequest:
    """What the command line of jobs/compact_tables.py asks for."""

    output: str
    rows_per_file: int | None = None
    """None: what suits each table."""
    drop: tuple[str, ...] = ()
    """Tables of which rows are dropped first: pixels, features."""
    older_than_days: float = 0.0
    """Only rows that are older than this are dropped; 0: all."""
    is_dry_run: bool = False
    as_json: bool = False
