"""The page: one HTML file with style, script and pictures inside, which asks the network for nothing.

Everything that came from a bundle goes through the template engine's escaping, and a Content-Security-Policy lets the
browser run only the one script and style sheet that stand in the page.
"""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eoltag.records import TRANSIENT, Outcome
from eoltag.report.charts import Chart, Ink, histograms, tag_inks
from eoltag.report.content import PENDING, Counted, PageFacts, TaskFacts, Written, totals
from eoltag.report.gallery import Card, Strip, failures_of, strip_length, strips_of
from eoltag.report.summary import RUNGS

TEMPLATES: Final = Path(__file__).parent / "templates"
MOST_TAGS: Final = 40
"""Tags of a task that are shown, the most frequent ones."""
MOST_LINES: Final = 25
"""Of a table of hosts or bundles."""


@dataclass(frozen=True, slots=True)
class TagShown:
    """A tag with its images."""

    name: str
    rows: int
    share: float
    ink: Ink
    strips: list[Strip]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table of hosts or bundles."""

    name: str
    ok: int
    failed: int
    pending: int
    reasons: str
    """The most frequent failures."""

    @property
    def rows(self) -> int:
        """All of them."""
        return self.ok + self.failed + self.pending


@dataclass(frozen=True, slots=True)
class OutcomeShown:
    """A failure with examples."""

    name: str
    rows: int
    share: float
    kind: str
    cards: list[Card]


@dataclass(frozen=True, slots=True)
class TaskShown:
    """A task's part of the page."""

    facts: TaskFacts
    rows: int
    ok: int
    failed: int
    pending: int
    tags: list[TagShown]
    other_tags: int
    """Tags that are not shown."""
    fired: dict[str, int]
    """Rule -> rows."""
    charts: list[Chart]
    outcomes: list[OutcomeShown]
    hosts: list[Line]
    bundles: list[Line]


def render(written: Written, path: str) -> tuple[str, PageFacts]:
    """The page as text. path: where it will lie, for the facts about it."""
    tasks = [_task(facts, written) for facts in written.tasks]
    cards = [card for task in tasks for card in _cards(task)]
    images = len({card.row.url for card in cards})
    text = (
        environment()
        .get_template("report.html.j2")
        .render(
            **assets(),
            digest=written.digest,
            output=written.output,
            made_at=datetime.now(UTC),
            run=written.runs[0] if written.runs else None,
            runs=written.runs,
            rungs=RUNGS,
            tasks=tasks,
            tags=_sorted({tag.name for task in tasks for tag in task.tags}),
            outcomes=_sorted({card.row.outcome for card in cards}),
            images=images,
            most_lines=MOST_LINES,
        )
    )
    pictured = {card.row.url for card in cards if card.picture is not None}
    names = [facts.name for facts in written.tasks]
    return text, PageFacts(path, names, True, images, len(pictured), len(text.encode("utf-8", "replace")))


def _task(facts: TaskFacts, written: Written) -> TaskShown:
    ok, failed, pending = totals(written.rows("outcome", facts.name))
    sizes: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    for one in written.rows("tag", facts.name):
        if one.tag is not None:
            sizes.update(dict.fromkeys(facts.each(one.tag), one.rows))
            fired.update(dict.fromkeys(facts.each(one.rule) or ("",), one.rows))
    shown = sizes.most_common(MOST_TAGS)
    inks = tag_inks([tag for tag, _ in shown], facts.missing)
    return TaskShown(
        facts=facts,
        rows=ok + failed + pending,
        ok=ok,
        failed=failed,
        pending=pending,
        tags=_tags(facts, written, shown, inks, ok),
        other_tags=len(sizes) - len(shown),
        fired=dict(fired),
        charts=_charts(facts, written, inks),
        outcomes=_outcomes(facts, written),
        hosts=_lines("host", written.rows("host", facts.name)),
        bundles=_lines("bundle", written.rows("bundle", facts.name)),
    )


def _tags(
    facts: TaskFacts, written: Written, sizes: Sequence[tuple[str, int]], inks: dict[str, Ink], ok: int
) -> list[TagShown]:
    """The tags with their galleries. ok: images that were read; one with several tags counts for each."""
    pictures = {key: jpeg for key, jpeg in written.thumbnails.items() if key[0] == facts.name}
    length = strip_length(len(pictures), len(sizes))
    read = [row for row in written.found if row.task == facts.name and row.outcome == Outcome.OK]
    found = [each for row in read for each in facts.of_each_tag(row)]
    shown = []
    for tag, rows in sizes:
        mine = [row for row in found if row.tag == tag]
        strips = strips_of(mine, facts, pictures, length, is_whole=len(mine) == rows)
        shown.append(TagShown(tag, rows, rows / max(1, ok), inks[tag], strips))
    return shown


def _charts(facts: TaskFacts, written: Written, inks: dict[str, Ink]) -> list[Chart]:
    charts = [
        histograms(list(map(facts.of_one_tag, written.rows(measure, facts.name))), model, measure, facts.cuts, inks)
        for model in facts.models
        for measure in ("confidence", "logit")
    ]
    return [chart for chart in charts if chart is not None]


def _outcomes(facts: TaskFacts, written: Written) -> list[OutcomeShown]:
    """What failed, and what no run has asked for yet; the most frequent first."""
    counts = written.rows("outcome", facts.name)
    total = sum(one.rows for one in counts)
    shown = []
    for one in counts:
        name = one.outcome or PENDING
        if name == Outcome.OK:
            continue
        kind = (
            "the next run asks" if name == PENDING else "asked again by the next run" if name in TRANSIENT else "final"
        )
        rows = [row for row in written.found if row.task == facts.name and row.outcome == name]
        shown.append(OutcomeShown(name, one.rows, one.rows / total, kind, failures_of(rows)))
    return shown


def _lines(kind: str, counts: Sequence[Counted]) -> list[Line]:
    """By host or bundle: most failures first, then most rows."""
    by_name: dict[str, list[Counted]] = {}
    for one in counts:
        by_name.setdefault((one.host if kind == "host" else one.bundle) or "(none)", []).append(one)
    lines = []
    for name, group in by_name.items():
        reasons = [f"{one.outcome} {one.rows:,}" for one in group if one.outcome not in (Outcome.OK, PENDING)]
        lines.append(Line(name, *totals(group), ", ".join(reasons[:4])))
    return sorted(lines, key=lambda line: (-line.failed, -line.rows, line.name))


def _cards(task: TaskShown) -> list[Card]:
    galleries = [card for tag in task.tags for strip in tag.strips for card in strip.cards]
    return galleries + [card for outcome in task.outcomes for card in outcome.cards]


def environment() -> Environment:
    """The templates of pages, with escaping and the filters that they use."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["thousands"] = lambda number: f"{number:,}"
    made.filters["percent"] = _percent
    made.filters["last_names"] = _last_names
    made.filters["indented"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    made.filters["moment"] = _moment
    return made


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 or 0.99 < share < 1 else f"{share:.0%}"


def _last_names(ancestry: str) -> str:
    """The two closest relatives; the whole line stands in the title."""
    return " › ".join(ancestry.split("|")[-2:])


def _moment(text: Any) -> str:
    """A time as people write it; whatever it is, should it be none."""
    try:
        return f"{datetime.fromisoformat(str(text)).astimezone(UTC):%d %B %Y, %H:%M} UTC"
    except ValueError:
        return str(text)


def assets() -> dict[str, str]:
    """Style and script, with the hashes by which the browser knows them."""
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return {"style": style, "script": script, "style_hash": _hash(style), "script_hash": _hash(script)}


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _sorted(names: set[str]) -> list[str]:
    return sorted(names, key=str.casefold)
