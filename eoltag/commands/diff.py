"""What changed between two runs, or between two versions of a model: which tags flipped, counted and listed.

eoltag diff --task NAME --output DIR
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from eoltag.decide.task import check_tasks
from eoltag.errors import ExitCode
from eoltag.places import project_root
from eoltag.spark.requests import DiffRequest
from eoltag.spark.runtime.command import Parser, add_models, start_spark
from eoltag.spark.runtime.options import is_only_check

EXAMPLES = """\
examples:
  ./spark-submit.sh jobs/diff_runs.py --task demo --output build/demo/output
  ./spark-submit.sh jobs/diff_runs.py --task demo --output build/demo/output --old 5a94b6d69cd1 --new 0c1d2e3f4a5b \\
      --csv flips.csv

A run (runs/NAME.json) stands for its rules, its model versions and what was known until then; a model version for its
scores under the rules of today. Where neither is given, the last two runs of the task are compared. No image
is touched, nothing in DIR is written. Thresholds from a package's card are those of today's package."""


def parser(prog: str = "diff_runs.py") -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="What changed between two runs, or between two versions of a model: which tags flipped.",
        epilog=EXAMPLES,
    )
    new.add_argument("--task", required=True, metavar="NAME_OR_FILE", help="a name in conf/tasks, or a file")
    add_models(new)
    new.add_argument("--output", required=True, metavar="DIR", help="the output directory of the runs")
    new.add_argument("--old", metavar="RUN_OR_VERSION", help="a run or a model version (default: the run before)")
    new.add_argument("--new", metavar="RUN_OR_VERSION", help="a run or a model version (default: the last run)")
    new.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write every row whose tag differs, with both tags, rules, labels and outcomes",
    )
    return new


def main(prog: str = "diff_runs.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    if is_only_check():
        check_tasks([options.task], project_root(), options.model)
    start_spark(options)
    from eoltag.spark.jobs.diff import diff_runs  # takes a while, in which Java starts

    return diff_runs(
        DiffRequest(
            task=options.task,
            output=options.output,
            root=project_root(),
            old=options.old,
            new=options.new,
            csv=options.csv,
            as_json=options.json,
            models=options.model,
        )
    )
