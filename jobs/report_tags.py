"""See the tags: the page report/index.html again from the written tables.

./spark-submit.sh jobs/report_tags.py --output DIR
"""

import argparse
import sys

from eoltag.errors import ExitCode
from eoltag.spark.requests import ReportRequest
from eoltag.spark.runtime.command import Parser, run_program
from eoltag.spark.runtime.java import start_java

EXAMPLES = """\
examples:
  ./spark-submit.sh jobs/report_tags.py --output build/demo/output
  ./spark-submit.sh jobs/report_tags.py --output /data/eol --task rating image_type

Every run writes the page by itself; this is for outputs of before, or for a page of some tasks only."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog="report_tags.py",
        description="Write report/index.html from the tables: counts, histograms, and images of every tag.",
        epilog=EXAMPLES,
        has_all_tasks=True,
    )
    new.add_argument("--output", required=True, metavar="DIR", help="the output directory of earlier runs")
    return new


def main() -> ExitCode:
    """Run the job."""
    options = parser().parse_args()
    start_java()
    from eoltag.spark.jobs.report import report_tags  # takes a while, in which Java starts

    return report_tags(ReportRequest(options.output, options.task, options.json))


if __name__ == "__main__":
    sys.exit(run_program(main))
