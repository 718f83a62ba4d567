"""The summary of a run, as a dictionary and as text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from eoltag.records import Outcome

BLOCKED: Final = (
    "  blocked_host: addresses of a private network; --allow-private-hosts --retry-failed lets them through"
)
"""What lets images through that no server was asked for."""
LETS_THROUGH: Final = ": --allow-private-hosts lets a private network through"
"""The same, for a run in which they failed just now."""
_MOST_REASONS: Final = 3
NO_DRIFT: Final = 0.1
"""A population stability index below this is commonly read as no change."""
NO_TAG: Final = "(no tag)"
"""Images that could not be read, or are not predicted yet."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run did, and where its answers came from."""

    rows: dict[str, int] = field(default_factory=dict)
    """Rung of the ladder -> bundle rows that it answered, cheapest first."""
    requests: int = 0
    """Different URLs that servers were asked for."""
    downloaded: int = 0
    """Of these, those whose files came."""
    not_downloaded: dict[str, int] = field(default_factory=dict)
    """Outcome -> those of which nothing came, by the last answer."""
    not_modified: int = 0
    """Of these, those that a server still had as they were."""
    scores: int = 0
    """New scores: one for each content and model."""
    waves_s: float = 0.0
    """Seconds in which images were asked for and scored, commits included."""
    stage_s: dict[str, float] = field(default_factory=dict)
    """Seconds of all Spark tasks by stage (wait, decode, infer), and of commits in the driver."""
    bytes_per_row: dict[str, float] = field(default_factory=dict)
    """Table -> bytes on disk for each row that this run added."""
    slots: int = 1
    """Spark tasks at a time."""
    asked_again: int = 0
    """Images whose failure might have passed, and that were asked for once more at the end."""
    hosts_away_s: dict[str, float] = field(default_factory=dict)
    """Host -> the longest time in seconds for which it gave no answer, of those that were waited for."""

    @property
    def bound_per_s(self) -> float | None:
        """Images a second if no task ever waited and commits took no time; None where no image was worked on."""
        busy = self.stage_s.get("decode", 0.0) + self.stage_s.get("infer", 0.0)
        return self.requests * self.slots / busy if busy and self.requests else None

    @property
    def held_back_by(self) -> str:
        """What most of the time went to."""
        shares = {
            _HELD[name]: seconds / (1 if name == "commit" else self.slots) for name, seconds in self.stage_s.items()
        }
        return max(shares, key=lambda name: shares[name]) if any(shares.values()) else "nothing"


_HELD: Final = {"wait": "waiting for servers", "decode": "decoding", "infer": "inference", "commit": "commits"}


@dataclass(frozen=True, slots=True)
class Changes:
    """How many images a run has left otherwise than the run before; of those that were read and have a tag."""

    new: int
    """With a tag now, and none before."""
    changed: int
    """With another tag."""
    gone: int
    """With a tag before, and none now: they left their bundle, or could not be read."""


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
    """Images asked for in this run over `seconds`, start-up included."""
    output: str
    images_fetched: int
    """Different URLs that were to be fetched in this run; work.downloaded says how many files came."""
    known: int = 0
    """Bundle rows that earlier runs had answered."""
    work: Work = field(default_factory=Work)
    """What this run did, and where its answers came from."""
    bundles: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """Folders below the output directory that hold the tags as files."""
    notes: list[str] = field(default_factory=list)
    changes: dict[str, Changes] = field(default_factory=dict)
    """Task -> what is otherwise than after the run before; no task that had no tags before."""
    confidences: dict[str, dict[str, int]] = field(default_factory=dict)
    """Task -> tenth of the confidence, `0` to `9` -> bundle rows that were read."""
    images: dict[str, int] = field(default_factory=dict)
    """Task that may give an image several tags -> bundle rows with a tag; fewer than the sum over its tags."""
    drift: dict[str, dict[str, float]] = field(default_factory=dict)
    """Task -> population stability index of `confidence` and of `tags` against the last run over the same bundles."""

    @property
    def failure_rate(self) -> float:
        """Share of bundle rows without a prediction, in [0, 1]."""
        return sum(self.failed.values()) / self.rows_in if self.rows_in else 0.0

    def with_changes(self, changes: Mapping[str, Changes | None], *, has_delta: bool) -> "Summary":
        """The same with what is otherwise than before, by task; has_delta: it stands in files as well."""
        known = {task: changed for task, changed in changes.items() if changed is not None}
        return replace(self, changes=known, files=[*self.files, *(f"changes/{task}" for task in changes if has_delta)])

    def as_dict(self) -> dict[str, Any]:
        """For --json and runs/<run_id>.json."""
        bound = self.work.bound_per_s
        said = {"bound_per_s": None if bound is None else round(bound, 2), "held_back_by": self.work.held_back_by}
        return {**asdict(self), "work": {**asdict(self.work), **said}}


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
    """--dry-run for people. rules: task -> rule -> rows that it tags by the scores that there are."""
    wide = max(len(name) for name in plan)
    lines = [f"  {name.replace('_', ' '):<{wide}}  {value:>12,}" for name, value in plan.items() if value is not None]
    for task, fired in rules.items():
        lines += [f"task {task}, over what is scored already:", *silent] if (silent := _never_fired(fired)) else []
    return "\n".join(["Plan (nothing was fetched, nothing written):", *lines, *(f"note: {note}" for note in notes)])


def _never_fired(rules: Mapping[str, int]) -> list[str]:
    return [f"  rule '{rule}' fired 0 times" for rule, rows in rules.items() if not rows]


def summary_text(summary: Summary) -> str:
    """The table at the end of a run."""
    fetched = (
        _downloads(summary)
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
        *([BLOCKED] if Outcome.BLOCKED_HOST.value in summary.failed else []),
        *_work_lines(summary.work),
    ]
    for task, tags in summary.tags.items():
        lines.append(f"task {task}: {summary.images.get(task, sum(tags.values())):,} images tagged or looked at")
        lines += [f"  {tag:<24} {rows:>9,}" for tag, rows in sorted(tags.items(), key=lambda item: -item[1])]
        lines += _never_fired(summary.rules[task])
        lines += _changes_line(summary.changes.get(task))
        lines += _drift_line(summary.drift.get(task))
    lines += [
        f"images       {summary.output}/images/, scores/",
        *(f"tags         {summary.output}/tags/task={task}/" for task in summary.tags),
        *(f"files        {summary.output}/{folder}/" for folder in summary.files),
        f"run          {summary.output}/runs/{summary.run_id}.json",
        f"report       {summary.output}/report/index.html",
    ]
    return "\n".join(lines)


def _downloads(summary: Summary) -> str:
    """How many images were attempted and came, why others did not, and the rate of those that came."""
    work = summary.work
    ordered = sorted(work.not_downloaded.items(), key=lambda item: -item[1])
    reasons = [f"{images:,} {name}" for name, images in ordered[:_MOST_REASONS]]
    if ordered and ordered[0][0] == Outcome.BLOCKED_HOST:  # elsewhere the line below the counts will do
        reasons[0] += LETS_THROUGH
    if left := sum(images for _, images in ordered[_MOST_REASONS:]):
        reasons.append(f"{left:,} otherwise")
    why = f" ({', '.join(reasons)})" if reasons else ""
    rate = f", {summary.images_per_s:.1f} images/s" if work.downloaded or work.not_modified else ""
    return f"{summary.images_fetched:,} images attempted, {work.downloaded:,} downloaded{why}{rate}"


def _changes_line(changes: Changes | None) -> list[str]:
    """What is otherwise than after the run before, where there was one."""
    if changes is None:
        return []
    said = {"new": changes.new, "with another tag": changes.changed, "gone": changes.gone}
    parts = [f"{images:,} {what}" for what, images in said.items() if images]
    return [f"  since the run before: {', '.join(parts) or 'nothing new, changed or gone'}"]


def _drift_line(drift: Mapping[str, float] | None) -> list[str]:
    """Only what has drifted is worth a line."""
    if drift is None or max(drift.values()) < NO_DRIFT:
        return []
    said = ", ".join(f"{what} {index:.2f}" for what, index in drift.items())
    return [f"  drift since the run before (population stability index): {said}"]


RUNGS: Final = {
    "scores": "answered by what is stored",
    "features": "from stored features",
    "pixels": "from stored pictures",
    "not_modified": "asked whether they have changed",
    "fetch": "fetched",
    "nowhere": "need features that nobody has computed",
}
"""Rung -> in words."""


def _work_lines(work: Work) -> list[str]:
    """Where the answers came from, and what the run was held back by."""
    lines = [f"  {rows:>12,}  {RUNGS[rung]}" for rung, rows in work.rows.items() if rows]
    lines = ["rows by where their answers came from:", *lines] if lines else []
    if work.not_modified:
        lines.append(f"not modified, said by servers: {work.not_modified:,} of {work.requests:,}")
    if work.hosts_away_s:
        away = sorted(work.hosts_away_s.items(), key=lambda item: -item[1])
        lines.append(f"hosts that were away: {', '.join(_shortened([f'{host} {s:,.0f} s' for host, s in away]))}")
    if work.asked_again:
        lines.append(f"asked again at the end of the run: {work.asked_again:,}")
    if work.bound_per_s:
        reached = work.requests / work.waves_s if work.waves_s else 0.0
        lines.append(
            f"speed: {reached:,.1f} images/s of {work.bound_per_s:,.1f} that decoding and inference allow; "
            f"most time went to {work.held_back_by}"
        )
    kept = [f"{table} {size:,.0f}" for table, size in work.bytes_per_row.items()]
    return [*lines, f"bytes on disk a row: {', '.join(kept)}"] if kept else lines


def _shortened(names: list[str], most: int = 3) -> list[str]:
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]
