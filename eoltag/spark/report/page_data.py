"""The page report/index.html: reads what was written, and lets eoltag.report make a page of it."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

from eoltag import __version__
from eoltag.decide.keeping import further_names
from eoltag.errors import OutputError
from eoltag.report.content import Counted, Found, PageFacts, TaskFacts, Written
from eoltag.report.page import render
from eoltag.spark.report.queries import count_groups, find_rows, tags_of
from eoltag.spark.report.warranty import read_judged, warranty_of
from eoltag.spark.tables.decided import read_note
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.thumbnails import read_thumbnails

_log: Final = logging.getLogger(__name__)
MOST_RUNS: Final = 10
"""Shown in the list of runs."""
PAGE: Final = "report/index.html"


class Shown(NamedTuple):
    """What the page shows of the tables, however many rows they have."""

    tasks: list[str]
    pictures: dict[tuple[str, str], bytes]
    """(task, URL) -> JPEG."""
    counts: list[Counted]
    found: list[Found]


def ask_tables(output: Output, tasks: Sequence[str] = ()) -> Shown:
    """What the page shows of these tasks, or of all that have tags. Raises OutputError where there are no tags."""
    names = _tasks(output, tasks)
    _log.info("reading the tables for the page")
    pictures = {(one.task, one.url): one.picture.encode() for name in names for one in read_thumbnails(output, name)}
    tags = tags_of(output, {name: further_names(read_note(output, name).kept) for name in names})
    counts = count_groups(tags)
    return Shown(names, pictures, counts, find_rows(tags, counts, pictures.keys()))


def write_report(output: Output, shown: Shown, *, is_forced: bool = False) -> PageFacts:
    """report/index.html, left alone where nothing that it shows of the tables has changed; is_forced: in any case."""
    _log.info("drawing the page")
    names = shown.tasks
    runs = _runs(output, names)
    judgements = read_judged(output)
    facts = [_facts(name, runs) for name in names]
    facts = [replace(one, warranty=warranty_of(output, one.name, judgements, one.each)) for one in facts]
    digest = _digest(facts, shown.counts, shown.pictures)
    path = output.path(PAGE)
    if not is_forced and output.files.exists(path) and digest in output.files.read_text(path):
        return PageFacts(path, names, is_new=False)
    written = Written(output.root, runs, facts, shown.counts, shown.found, shown.pictures, digest)
    text, facts_of_page = render(written, path)
    output.files.write_text(path, text)
    return facts_of_page


def has_page(output: Output) -> bool:
    """Whether the page is there."""
    return output.files.exists(output.path(PAGE))


def _tasks(output: Output, wanted: Sequence[str]) -> list[str]:
    there = [name.removeprefix("task=") for name in output.files.names(output.path("tags"))]
    missing = [name for name in wanted if name not in there]
    if missing:
        raise OutputError(f"{output.root}: holds no tags of task '{missing[0]}'; known: {', '.join(there) or 'none'}")
    if not there:
        raise OutputError(f"{output.root}: holds no tags yet; run jobs/tag_bundles.py first")
    return [name for name in there if name in wanted or not wanted]


def _runs(output: Output, tasks: Sequence[str]) -> list[dict[str, Any]]:
    """The documents of the latest finished runs, latest first, and back to where each task was last decided."""
    documents: list[dict[str, Any]] = []
    unseen = set(tasks)
    for name in reversed(output.files.names(output.path("runs"))):
        if len(documents) >= MOST_RUNS and not unseen:
            break
        try:
            document = json.loads(output.files.read_text(output.path("runs", name)))
        except ValueError:  # cut short by a kill
            continue
        if isinstance(document, dict) and isinstance(document.get("summary"), dict):
            documents.append(document)
            unseen -= set(document.get("tasks", {}))
    return documents


def _facts(name: str, runs: Sequence[dict[str, Any]]) -> TaskFacts:
    """The facts of a task from the latest run that decided it; only its name where none of those at hand did."""
    from eoltag.decide.cuts import find_cuts  # brings sqlglot, which a job with nothing to do need not wait for

    document: dict[str, Any] = next((run["tasks"][name] for run in runs if name in run.get("tasks", {})), {})
    content = document.get("content", {})
    conditions = document.get("conditions", {})
    rules = [
        (rule["name"], conditions.get(rule["name"], rule["when"]), rule.get("tag") or rule.get("tag_sql") or "")
        for rule in content.get("rules", [])
    ]
    models = document.get("models", {})
    cuts = find_cuts([rule[:2] for rule in rules], list(models)) if models else []
    said = (content.get("description", ""), content.get("missing", ""))
    return TaskFacts(name, *said, models, rules, cuts, has_several=bool(content.get("multiple")))


def _digest(facts: Sequence[TaskFacts], counts: Sequence[Counted], pictures: dict[tuple[str, str], bytes]) -> str:
    """Changes whenever anything changes that the page shows of the tables."""
    jpegs = sorted((*key, sha256(jpeg).hexdigest()) for key, jpeg in pictures.items())
    content = [__version__, [asdict(one) for one in facts], sorted(str(one) for one in counts), jpegs]
    return sha256(json.dumps(content).encode()).hexdigest()
