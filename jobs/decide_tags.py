"""Decide again from stored predictions: a changed threshold or rule re-tags every image without touching one.

./spark-submit.sh jobs/decide_tags.py --task NAME ... --output DIR
"""

import argparse
import sys
from pathlib import Path

from eoltag.errors import ExitCode
from eoltag.spark.command import Parser, run_command
from eoltag.spark.run import DecideRequest, decide_tags

ROOT = Path(__file__).resolve().parent.parent

EXAMPLES = """\
example, after editing a rule in conf/tasks/demo.toml:
  ./spark-submit.sh jobs/decide_tags.py --task demo --output build/demo/output"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog="decide_tags.py",
        description="Decide tags again from stored predictions and rewrite the tags table and the TSV files.",
        epilog=EXAMPLES,
    )
    new.add_argument("--output", required=True, metavar="DIR", help="the output directory of earlier runs")
    return new


def main() -> ExitCode:
    """Run the job."""
    options = parser().parse_args()
    return decide_tags(DecideRequest(options.task, options.output, ROOT, options.json))


if __name__ == "__main__":
    sys.exit(run_command(main))
