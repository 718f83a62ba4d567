"""What `publish` says: a publication, a refusal, a list of publications; as text for a person."""

from collections.abc import Mapping, Sequence
from typing import Final

from eoltag.publish.guards import NO_TAG, Comparison, Measured
from eoltag.publish.manifest import Manifest

SHOWN: Final = 20
"""Kinds of flips in the text."""
EXAMPLES: Final = 10
"""Flips that are shown one by one, the most confident ones."""


def publication_text(manifest: Manifest, place: str, what: str) -> str:
    """A publication that is current now. what: how it came to be so."""
    lines = [f"{what}: {manifest.version}", f"  in {place}"]
    lines += _task_lines(manifest)
    size = sum(file.bytes for file in manifest.files)
    lines.append(f"  {len(manifest.files)} files, {size / 1e6:,.1f} MB; sha256 of each in manifest.json")
    return "\n".join(lines)


def planned_text(manifest: Manifest) -> str:
    """What would be published."""
    return "\n".join(["would be published; no guard refuses:", *_task_lines(manifest)])


def refusal_text(reasons: Sequence[str], measured: Mapping[str, Measured], page: str | None) -> str:
    """Why nothing was published: the reasons, and what flips."""
    lines = ["not published, nothing was switched:", *(f"  {reason}" for reason in reasons)]
    for task, found in measured.items():
        if found.comparison is not None and found.comparison.flipped:
            lines += _comparison_lines(task, found.comparison)
    if page is not None:
        lines.append(f"with pictures: {page}")
    return "\n".join(lines)


def list_text(manifests: Sequence[Manifest], current: str | None) -> str:
    """All publications, oldest first."""
    if not manifests:
        return "no publication yet"
    lines = []
    for manifest in manifests:
        mark = "*" if manifest.version == current else " "
        tasks = ", ".join(f"{name} {task.rows:,} rows" for name, task in manifest.tasks.items())
        lines.append(f"{mark} {manifest.version}  {tasks}")
    return "\n".join([*lines, "* is current"] if current else lines)


def transitions(comparison: Comparison) -> list[tuple[str, str, int]]:
    """(old tag, new tag, images) of all that flip, most first."""
    moves = [(old or NO_TAG, new or NO_TAG, rows) for (old, new), rows in comparison.moves.items() if old != new]
    return sorted(moves, key=lambda move: (-move[2], move[0], move[1]))


def drift_lines(measured: Mapping[str, Measured]) -> list[str]:
    """How far the shares of scores and tags have moved from the publication before."""
    return [
        f"  task {task}: drift (population stability index) of "
        + ", ".join(f"{what} {index:.2f}" for what, index in found.drift.items())
        for task, found in measured.items()
        if found.drift
    ]


def _task_lines(manifest: Manifest) -> list[str]:
    lines = []
    for name, task in manifest.tasks.items():
        tags = ", ".join(f"{tag} {rows:,}" for tag, rows in sorted(task.tags.items(), key=lambda pair: -pair[1]))
        lines.append(f"  task {name}: {task.rows:,} rows; {tags or 'no tag'}")
    return lines


def _comparison_lines(task: str, comparison: Comparison) -> list[str]:
    lines = [
        f"task {task}, against publication {comparison.version}: "
        f"{comparison.flipped:,} of {comparison.tagged:,} tags flip ({comparison.flip_rate:.1%})"
    ]
    lines += [f"  {old} -> {new}: {rows:,}" for old, new, rows in transitions(comparison)[:SHOWN]]
    if comparison.flips:
        lines.append("  most confident:")
    lines += [
        f"    {flip.old_tag or NO_TAG} -> {flip.new_tag or NO_TAG}  "
        f"{'' if flip.confidence is None else f'{flip.confidence:.3f}'}  {flip.url}"
        for flip in comparison.flips[:EXAMPLES]
    ]
    return lines
