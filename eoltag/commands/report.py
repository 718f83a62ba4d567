"""See the tags: the page report/index.html again from the written tables.

eoltag report --output DIR
"""

import argparse
from collections.abc import Sequence

from eoltag.errors import ExitCode
from eoltag.spark.requests import ReportRequest
from eoltag.spark.runtime.command import Parser, start_spark

EXAMPLES = """\
examples:
  ./spark-submit.sh jobs/report_tags.py --output build/demo/output
  ./spark-submit.sh jobs/report_tags.py --output /data/eol --task rating image_type

Every run writes the page by itself; this is for outputs of before, or for a page of some tasks only."""


def parser(prog: str = "report_tags.py") -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="Write report/index.html from the tables: counts, histograms, and images of every tag.",
        epilog=EXAMPLES,
    )
    new.add_argument(
        "--task",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="only these tasks (default: all that have tags)",
    )
    new.add_argument("--output", required=True, metavar="DIR", help="the output directory of earlier runs")
    return new


def main(prog: str = "report_tags.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    start_spark(options)
    from eoltag.spark.jobs.report import report_tags  # takes a while, in which Java starts

    return report_tags(ReportRequest(options.output, options.task, options.json))
