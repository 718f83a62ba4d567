"""python -m eoltag COMMAND: what needs neither Spark nor a model.

Example: python -m eoltag views build/output
"""

import argparse
import sys
from pathlib import Path

from eoltag.errors import ExitCode, UsageError
from eoltag.views.write import write_views

EXAMPLES = """\
examples:
  python -m eoltag views build/output
  duckdb -init build/output/views.duckdb.sql
  spark-sql -i build/output/views.spark.sql"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="python -m eoltag", description="Commands over an output directory.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = new.add_subparsers(dest="command", required=True, metavar="COMMAND")
    views = commands.add_parser(
        "views",
        help="write SQL views for DuckDB and Spark: latest_images, predictions, tags",
        description="Write SQL views over the tables, for DuckDB and for Spark: latest_images, predictions (one flat "
        "row for each image and model), tags. Every run of jobs/tag_bundles.py writes them as well.",
    )
    views.add_argument("output", metavar="OUTPUT", help="the --output directory of a run; also s3://, hdfs://, gs://")
    views.add_argument("--to", type=Path, metavar="DIR", help="write them into this folder instead")
    return new


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        for path in write_views(options.output, options.to):
            print(path)
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return int(problem.exit_code)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    sys.exit(main())
