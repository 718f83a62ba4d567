"""The summary of a run, as a dictionary and as text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

NO_TAG: Final = "(no tag)"
"""Images that could not be read, or are not predicted yet."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run leaves to say; counted from the written tables."""

    run_id: str
    rows_in: int
    ok: int
    failed: dict[str, int]
    """Outcome -> bundle rows; rows_in = ok + the sum of these."""
    tags: dict[str, dict[str, int]]
    """Task -> tag -> bundle rows; an image that was read and got no tag counts under the task's missing literal."""
    rules: dict[str, dict[str, int]]
    """Task -> rule -> bundle rows that it tagged, in the order of the rules; 0 for a rule that never fired."""
    seconds: float
    images_per_s: float
    """Images fetched in this run over `seconds`, start-up included."""
    output: str
    images_fetched: int
    known: int = 0
    """Bundle rows that earlier runs had answered."""
    bundles: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """Folders below the output directory that hold the tags as files."""
    notes: list[str] = field(default_factory=list)

    @property
    def failure_rate(self) -> float:
        """Share of bundle rows without a prediction, in [0, 1]."""
        return sum(self.failed.values()) / self.rows_in if self.rows_in else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For --json and runs/<run_id>.json."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Flips:
    """What deciding one task again would change."""

    now: dict[str, int]
    """Tag -> bundle rows in the written table."""
    after: dict[str, int]
    """The same, as the task file has it now."""
    moves: dict[str, int]
    """"old tag -> new tag" -> bundle rows."""
    rules: dict[str, int]
    """Rule -> bundle rows that it would tag, in the order of the rules."""
    examples: list[dict[str, Any]]
    """The first rows whose tag changes."""

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "flipped": sum(self.moves.values())}


def flips_text(flips: Mapping[str, Flips]) -> str:
    """--dry-run of a decision for people."""
    lines = ["Deciding again (no image was touched, nothing written):"]
    for task, found in flips.items():
        names = sorted({*found.now, *found.after})
        wide = max([3, *map(len, names)])
        lines += [f"task {task}", f"  {'tag':<{wide}}  {'now':>10}  {'after':>10}  {'change':>10}"]
        for name in names:
            now, after = found.now.get(name, 0), found.after.get(name, 0)
            lines.append(f"  {name:<{wide}}  {now:>10,}  {after:>10,}  {after - now:>+10,}")
        lines.append(f"  {sum(found.moves.values()):,} of {sum(found.after.values()):,} rows get another tag")
        lines += [f"    {move}  {rows:,}" for move, rows in sorted(found.moves.items(), key=lambda item: -item[1])]
        lines += [_flip_line(row) for row in found.examples]
        lines += _never_fired(found.rules)
    return "\n".join(lines)


def _flip_line(row: Mapping[str, Any]) -> str:
    rules = f"{row['rule_now'] or 'no rule'} -> {row['rule_after'] or 'no rule'}"
    tags = f"{row['tag_now'] or NO_TAG} -> {row['tag_after'] or NO_TAG}"
    return f"  {row['bundle']} row {row['bundle_row']}: {tags} ({rules})  {row['eolMediaURL']}"


def plan_text(plan: Mapping[str, int], rules: Mapping[str, Mapping[str, int]], notes: list[str]) -> str:
    """--dry-run for people. rules: task -> rule -> rows that it tags by the predictions that there are."""
    wide = max(len(name) for name in plan)
    lines = [f"  {name.replace('_', ' '):<{wide}}  {value:>12,}" for name, value in plan.items()]
    for task, fired in rules.items():
        lines += [f"task {task}, over what is predicted already:", *silent] if (silent := _never_fired(fired)) else []
    return "\n".join(["Plan (nothing was fetched, nothing written):", *lines, *(f"note: {note}" for note in notes)])


def _never_fired(rules: Mapping[str, int]) -> list[str]:
    return [f"  rule '{rule}' fired 0 times" for rule, rows in rules.items() if not rows]


def summary_text(summary: Summary) -> str:
    """The table at the end of a run."""
    fetched = (
        f"{summary.images_fetched:,} images fetched, {summary.images_per_s:.1f} images/s"
        if summary.images_fetched
        else "no image fetched: every row was answered by earlier runs"
        if "pending" not in summary.failed
        else f"no image fetched, {summary.failed['pending']:,} rows are still to be tagged by jobs/tag_bundles.py"
    )
    lines = [
        f"run {summary.run_id}: {fetched}, {summary.seconds:.1f} s",
        *(f"note: {note}" for note in summary.notes),
        f"rows in {summary.rows_in:>12,}   from {', '.join(_shortened(summary.bundles))}",
        f"ok      {summary.ok:>12,}",
        f"failed  {sum(summary.failed.values()):>12,}",
        *(f"  {name:<16} {rows:>9,}" for name, rows in sorted(summary.failed.items(), key=lambda item: -item[1])),
    ]
    for task, tags in summary.tags.items():
        lines.append(f"task {task}: {sum(tags.values()):,} images tagged or looked at")
        lines += [f"  {tag:<24} {rows:>9,}" for tag, rows in sorted(tags.items(), key=lambda item: -item[1])]
        lines += _never_fired(summary.rules[task])
    lines += [
        f"predictions  {summary.output}/predictions/",
        *(f"tags         {summary.output}/tags/task={task}/" for task in summary.tags),
        *(f"files        {summary.output}/{folder}/" for folder in summary.files),
        f"run          {summary.output}/runs/{summary.run_id}.json",
        f"report       {summary.output}/report/index.html",
    ]
    return "\n".join(lines)


def _shortened(names: list[str], most: int = 3) -> list[str]:
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]
