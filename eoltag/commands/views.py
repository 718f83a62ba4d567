"""SQL views over the tables of an output directory.

eoltag views OUTPUT
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from eoltag.errors import ExitCode
from eoltag.local.streams import say
from eoltag.views.write import write_views

EXAMPLES = """\
examples:
  eoltag views build/output
  duckdb -init build/output/views.duckdb.sql
  spark-sql -i build/output/views.spark.sql"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="eoltag views",
        description="Write SQL views over the tables, for DuckDB and for Spark: latest_images, predictions (one flat "
        "row for each image and model), tags. Every run of eoltag tag writes them as well.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("output", metavar="OUTPUT", help="the --output directory of a run; also s3://, hdfs://, gs://")
    new.add_argument("--to", type=Path, metavar="DIR", help="write them into this folder instead")
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the views; returns the exit code. Raises OutputError."""
    options = parser().parse_args(arguments)
    say("\n".join(write_views(options.output, options.to)))
    return int(ExitCode.DONE)
