"""What the command lines of the jobs ask for."""

from dataclasses import dataclass
from pathlib import Path

from eoltag.settings import Settings


@dataclass(frozen=True, slots=True)
class TagRequest:
    """What the command line of jobs/tag_bundles.py asks for."""

    bundles: list[str]
    tasks: list[str]
    output: str
    settings: Settings
    root: Path
    """The project's folder, where conf/tasks lies."""
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    retry_failed: bool = False
    refresh_older_than_days: float | None = None
    is_dry_run: bool = False
    is_quiet: bool = False
    as_json: bool = False

    @property
    def is_of_whole_lists(self) -> bool:
        """Not of a part of their rows only."""
        return self.limit is None and self.sample is None


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


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What the command line of jobs/report_tags.py asks for."""

    output: str
    tasks: list[str]
    """None given: every task that was tagged into this output."""
    as_json: bool = False
