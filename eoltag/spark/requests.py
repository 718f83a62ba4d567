"""The requests of the jobs: their command lines as values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eoltag.bundle.taking import Taking
from eoltag.publish.guards import Limits
from eoltag.settings import PublishSettings, Settings

__all__ = [
    "CompactRequest",
    "DecideRequest",
    "DiffRequest",
    "ImportRequest",
    "PublishRequest",
    "ReportRequest",
    "TagRequest",
    "VerifyRequest",
]

SUPERSEDED: Final = "superseded"
"""Scores of model versions by which no task is decided any more, and that no publication names."""
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
    keep: Sequence[str] | None = None
    """Columns of the bundles, COLUMN or NAME=COLUMN, that go into tags, rules and files; None: those of before."""
    has_delta: bool = False
    """Write files of only what is new, changed or gone."""
    retry_failed: bool = False
    is_publishing: bool = False
    """Publish the tasks at the end, by the settings of [publish]."""
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
    has_delta: bool = False
    """As that of TagRequest."""


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
    models: Sequence[str] = ()
    """As those of TagRequest."""


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
class PublishRequest:
    """What the command line of jobs/publish_tags.py asks for."""

    tasks: list[str]
    output: str
    root: Path
    settings: PublishSettings
    limits: Limits
    models: Sequence[str] = ()
    """As those of TagRequest."""
    without: Sequence[str] = ()
    """Tasks of the current publication that the new one is not to have."""
    is_undo: bool = False
    is_list: bool = False
    is_dry_run: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What the command line of jobs/verify_output.py asks for."""

    output: str
    bundles: Sequence[str] = ()
    """Lists whose rows must all be there; none: those that the tables know."""
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class CompactRequest:
    """What the command line of jobs/compact_tables.py asks for."""

    output: str
    rows_per_file: int | None = None
    """None: what suits each table."""
    drop: tuple[str, ...] = ()
    """What is dropped first: rows of pixels, of features; scores of superseded models (SUPERSEDED)."""
    older_than_days: float = 0.0
    """Only rows that are older than this are dropped; 0: all."""
    is_dry_run: bool = False
    as_json: bool = False
