"""Judgements out and in: CSV for spreadsheets, Label Studio's JSON; and what people disagree on.

eoltag judgements OUTPUT
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from eoltag.audit.sample import find_sample
from eoltag.errors import ExitCode, OutputError
from eoltag.judgements.exchange import label_studio_tasks, read_csv, read_label_studio, write_csv
from eoltag.judgements.record import Judgement, agreed, append, latest, read
from eoltag.judgements.task_tags import read_task_tags
from eoltag.local.streams import say

EXAMPLES = """\
examples:
  eoltag judgements build/demo/output
  eoltag judgements build/demo/output --audit 20260101T020000Z-1a2b --csv-out audit.csv
  eoltag judgements build/demo/output --csv-in audit.csv --person Anna
  eoltag judgements build/demo/output --label-studio-out tasks.json

A CSV has the columns eolMediaURL, content_sha256, task, shown_tag, said_tag, person, judged_at, drawn, choices. Fill in
said_tag: the right tag, or ? where you are unsure. Empty ones are passed over. Of a task that gives an image several
tags write all that it shows, as flower|fruit, or the task's word for none; choices names the tags that you looked for,
so that the others are known to be absent. Without options the command lists how many images were judged, and those on
which people disagree: these are not decided."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="eoltag judgements",
        description="Take people's judgements out and in, and list what they disagree on.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("output", type=Path, metavar="OUTPUT", help="the --output directory of the runs, on this machine")
    new.add_argument("--audit", metavar="ID", help="write the images of this audit, judged or not")
    new.add_argument("--csv-out", type=Path, metavar="FILE", help="write judgements as CSV")
    new.add_argument("--csv-in", type=Path, metavar="FILE", help="add the judgements of a CSV")
    new.add_argument("--label-studio-out", type=Path, metavar="FILE", help="write tasks for Label Studio")
    new.add_argument(
        "--label-studio-in", type=Path, metavar="FILE", help="add the annotations of Label Studio's export"
    )
    new.add_argument(
        "--person", default="somebody", metavar="NAME", help="whose judgements come in, where none is named"
    )
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the options say; returns the exit code. Raises UsageError."""
    options = parser().parse_args(arguments)
    if not options.output.is_dir():
        raise OutputError(f"{options.output}: no such output directory")
    say(_run(options))
    return int(ExitCode.DONE)


def _run(options: argparse.Namespace) -> str:
    output: Path = options.output
    if options.csv_in is not None or options.label_studio_in is not None:
        came = [] if options.csv_in is None else read_csv(options.csv_in, options.person)
        came += [] if options.label_studio_in is None else read_label_studio(options.label_studio_in, options.person)
        tags = {task: read_task_tags(output, task) for task in {one.task for one in came}}
        append(output, [tags[one.task].said(one) for one in came])
        return f"{len(came):,} judgements added to {output / 'judgements'}"
    if options.csv_out is None and options.label_studio_out is None:
        return _listed(read(output))
    rows = list(_rows(output, options.audit))
    if options.csv_out is not None:
        write_csv(options.csv_out, rows)
    if options.label_studio_out is not None:
        tasks = {one.task: read_task_tags(output, one.task) for one in rows}
        missing = {task: tags.missing for task, tags in tasks.items() if tags.has_several}
        text = json.dumps(label_studio_tasks(rows, missing), ensure_ascii=False, indent=1)
        options.label_studio_out.write_text(text + "\n", encoding="utf-8")
    return f"{len(rows):,} images written"


def _rows(output: Path, audit: str | None) -> Iterable[Judgement]:
    """The judgements that hold; of an audit, its images, judged or not."""
    held = latest(read(output))
    if audit is None:
        return held.values()
    sample = find_sample(output, audit)
    said: dict[str, Judgement] = {key[1]: one for key, one in held.items() if key[0] == sample.task}
    choices = read_task_tags(output, sample.task).choices(*sample.rows)
    blanks = [
        Judgement(
            "", sample.task, one.url, one.content_sha256, one.tag, None, sample.reason, sample.models, choices=choices
        )
        for one in sample.images
    ]
    return [said.get(blank.content_sha256, blank) for blank in blanks]


def _listed(judgements: Sequence[Judgement]) -> str:
    """How many, by task; and what people disagree on."""
    found = agreed(judgements)
    lines = [f"{len(found):,} images judged"]
    for task in sorted({one.task for one in found}):
        mine = [one for one in found if one.task == task]
        lines.append(f"task {task}: {sum(one.tag is not None for one in mine):,} agreed, "
                     f"{sum(one.is_disputed for one in mine):,} disputed")  # fmt: skip
    for one in found:
        if one.is_disputed:
            said = ", ".join(f"{person}: {tag or 'unsure'}" for person, tag in one.said.items())
            lines.append(f"  disputed: {one.url}  {said}")
    return "\n".join(lines)
