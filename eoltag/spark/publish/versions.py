"""The folder published/ of an output: its publications, which of them is current, and the switch between them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from eoltag.errors import OutputError
from eoltag.local.files import HALF_WRITTEN
from eoltag.publish.manifest import CURRENT_FILE, FOLDER, MANIFEST_FILE, Current, Manifest
from eoltag.spark.tables.output import Output

MOST_BEFORE: Final = 100
"""Publications that current.json remembers as those before."""


def read_current(output: Output) -> Current | None:
    """Which publication is current; None before the first. Raises OutputError for a file that is none of ours."""
    path = output.path(FOLDER, CURRENT_FILE)
    if not output.files.exists(path):
        return None
    try:
        return Current.from_json(output.files.read_text(path))
    except ValueError as problem:
        raise OutputError(f"{path}: cannot be read ({problem})") from problem


def read_manifest(output: Output, version: str) -> Manifest:
    """The manifest of a publication. Raises OutputError."""
    path = output.path(FOLDER, version, MANIFEST_FILE)
    try:
        return Manifest.from_json(output.files.read_text(path))
    except (OSError, ValueError) as problem:
        raise OutputError(f"{path}: wanted the manifest of a publication ({problem})") from problem


def complete_versions(output: Output) -> list[str]:
    """The publications that have a manifest, oldest first."""
    return [name for name in _folders(output) if _is_complete(output, name)]


def broken_off(output: Output) -> list[str]:
    """Folders of publications that a killed run did not finish; nobody was ever sent there."""
    return [name for name in _folders(output) if not _is_complete(output, name)]


def switch_to(output: Output, version: str) -> None:
    """From now on readers are sent to this publication: one small file, replaced whole."""
    current = read_current(output)
    before = () if current is None else (*current.before, current.version)
    _write_current(output, version, before[-MOST_BEFORE:])


def undo(output: Output) -> Manifest:
    """Go back to the publication that was current before the present one. Raises OutputError where there is none."""
    current = read_current(output)
    if current is None:
        raise OutputError(f"{output.path(FOLDER)}: nothing was published yet, so there is nothing to undo")
    if not current.before or current.before[-1] not in complete_versions(output):
        what = f"came after {current.before[-1]}, which is not kept any more" if current.before else "is the first one"
        raise OutputError(
            f"{output.path(FOLDER)}: publication {current.version} {what}, so there is none to go back to"
        )
    *before, previous = current.before
    _write_current(output, previous, before)
    return read_manifest(output, previous)


def forget_old(output: Output, keep: int) -> list[str]:
    """Delete all but the latest `keep` publications, the current one, and the one that `undo` goes back to."""
    current = read_current(output)
    versions = complete_versions(output)
    kept = set(versions[-keep:])
    if current is not None:
        kept |= {current.version, *current.before[-1:]}
    gone = [name for name in versions if name not in kept]
    for name in gone:
        output.check_lock()
        output.files.delete(output.path(FOLDER, name, MANIFEST_FILE))  # a kill in between leaves no half publication
        output.files.delete(output.path(FOLDER, name))
    return gone


def _write_current(output: Output, version: str, before: Sequence[str]) -> None:
    output.check_lock()
    current = Current(version, datetime.now(UTC).isoformat(), tuple(before))
    output.files.write_text(output.path(FOLDER, CURRENT_FILE), current.as_json())


def _folders(output: Output) -> list[str]:
    names = output.files.names(output.path(FOLDER))
    return [name for name in names if name != CURRENT_FILE and not name.endswith(HALF_WRITTEN)]


def _is_complete(output: Output, version: str) -> bool:
    return output.files.exists(output.path(FOLDER, version, MANIFEST_FILE))
