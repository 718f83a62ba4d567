"""The manifest of a publication, and the one small file that says which publication is the current one."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

FOLDER: Final = "published"
CERTIFICATES: Final = "certificates"
"""Folder of an output directory: what audits have certified, TASK.json."""
CURRENT_FILE: Final = "current.json"
MANIFEST_FILE: Final = "manifest.json"
"""Written last: a folder without it is a publication that was broken off."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of a publication."""

    path: str
    """Below the folder of the publication."""
    sha256: str
    bytes: int
    rows: int | None = None
    """Rows of a table, without its header; None for what is no table."""


@dataclass(frozen=True, slots=True)
class PublishedTask:
    """What was published of one task, and what it was made with."""

    rows: int
    tags: dict[str, int]
    """Tag -> rows."""
    models: dict[str, str]
    """Name in the task file -> model version."""
    content: dict[str, Any]
    """The task file."""
    conditions: dict[str, str]
    """Rule -> its condition with thresholds filled in."""
    bundles: list[str]
    decided_by: str
    """The run that decided these tags."""
    tags_digest: str
    """Number and hash of the rows, whatever their order; see eoltag.spark.publish.state."""
    certificate: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """manifest.json: what a publication holds and where it comes from."""

    version: str
    state: str
    """A digest of what is published: two publications of the same state are one."""
    made_at: str
    eoltag: str
    run_id: str
    title: str
    license: str
    publisher: str
    tasks: dict[str, PublishedTask]
    files: list[PublishedFile] = field(default_factory=list)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The inverse of as_json. Raises ValueError."""
        try:
            document: dict[str, Any] = json.loads(text)
            tasks = {name: PublishedTask(**task) for name, task in document["tasks"].items()}
            files = [PublishedFile(**file) for file in document["files"]]
            return cls(**{**document, "tasks": tasks, "files": files})
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"not a manifest ({problem})") from problem

    def as_json(self) -> str:
        """For manifest.json."""
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Current:
    """current.json: which publication others are to read."""

    version: str
    switched_at: str
    before: tuple[str, ...] = ()
    """Those that were current before it, oldest first: what `undo` goes back to is the last."""

    @classmethod
    def from_json(cls, text: str) -> "Current":
        """The inverse of as_json. Raises ValueError."""
        try:
            document: dict[str, Any] = json.loads(text)
            return cls(document["version"], document["switched_at"], tuple(document["before"]))
        except (KeyError, TypeError) as problem:
            raise ValueError(f"not a current.json ({problem})") from problem

    def as_json(self) -> str:
        """For current.json."""
        return json.dumps(asdict(self), indent=2) + "\n"
