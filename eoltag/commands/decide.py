"""Decide again from stored scores: a changed threshold or rule re-tags every image without touching one.

eoltag decide --task NAME ... --output DIR
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from eoltag.decide.task import check_tasks
from eoltag.errors import ExitCode, SettingsError
from eoltag.places import project_root
from eoltag.spark.requests import DecideRequest
from eoltag.spark.runtime.command import Parser, add_delta, add_tasks, start_spark
from eoltag.spark.runtime.options import is_only_check

EXAMPLES = """\
examples, after editing a rule in conf/tasks/demo.toml: look first, then decide
  ./spark-submit.sh jobs/decide_tags.py --task demo --output build/demo/output --dry-run
  ./spark-submit.sh jobs/decide_tags.py --task demo --output build/demo/output"""


def parser(prog: str = "decide_tags.py") -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="Decide tags again from stored scores and rewrite the tags table and the TSV files.",
        epilog=EXAMPLES,
    )
    add_tasks(new)
    new.add_argument("--output", required=True, metavar="DIR", help="the output directory of earlier runs")
    add_delta(new)
    new.add_argument("--dry-run", action="store_true", help="print tag counts now and after; write no tag")
    new.add_argument("--flips", type=Path, metavar="FILE", help="with --dry-run: list every row that changes, as TSV")
    return new


def main(prog: str = "decide_tags.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    if options.flips is not None and not options.dry_run:
        raise SettingsError("--flips: wanted --dry-run as well, which finds what changes")
    request = DecideRequest(
        tasks=options.task,
        output=options.output,
        root=project_root(),
        as_json=options.json,
        is_dry_run=options.dry_run,
        models=options.model,
        flips=options.flips,
        has_delta=options.delta,
    )
    if is_only_check():
        check_tasks(request.tasks, request.root, request.models)
    start_spark(options)
    from eoltag.spark.jobs.decide import decide_tags  # takes a while, in which Java starts

    return decide_tags(request)
