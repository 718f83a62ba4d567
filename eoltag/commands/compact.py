"""Many small Parquet files of facts to few: the same rows and columns, quicker to query.

eoltag compact --output DIR
"""

import argparse
from collections.abc import Sequence

from eoltag.errors import ExitCode
from eoltag.spark.requests import IMAGES_PER_FILE, SUPERSEDED, CompactRequest
from eoltag.spark.runtime.command import Parser, positive, start_spark

EXAMPLES = """\
examples, now and then after many nightly runs, and where pictures take too much room:
  ./spark-submit.sh jobs/compact_tables.py --output /data/eol
  ./spark-submit.sh jobs/compact_tables.py --output /data/eol --drop pixels --older-than 365 --dry-run
  ./spark-submit.sh jobs/compact_tables.py --output /data/eol --drop superseded

The copy is made beside the table, read again and compared with the rows as they were; only then two renames put it in
place. It is refused while another run is at work in DIR. A query that is being answered meanwhile may have to be asked
again, since the files that it reads are gone."""


def parser(prog: str = "compact_tables.py") -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="Many small Parquet files of images, scores, measures, features and pixels to few: the same rows.",
        epilog=EXAMPLES,
    )
    new.add_argument("--output", required=True, metavar="DIR", help="the output directory of the runs")
    new.add_argument(
        "--rows-per-file",
        type=positive,
        metavar="N",
        help=f"rows of one file, about (default {IMAGES_PER_FILE:,}; 200,000 features, 50,000 pixels)",
    )
    new.add_argument(
        "--drop",
        nargs="+",
        choices=("pixels", "features", SUPERSEDED),
        default=[],
        metavar="WHAT",
        help="drop stored pixels or features (a later model may then have to fetch the images again), or the scores of "
        "superseded models, by which no task is decided any more and which no publication names",
    )
    new.add_argument(
        "--older-than",
        type=float,
        default=0.0,
        metavar="DAYS",
        help="with --drop: only what was stored more than so many days ago (default: all)",
    )
    new.add_argument("--dry-run", action="store_true", help="print what would become of each partition; write nothing")
    return new


def main(prog: str = "compact_tables.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    start_spark(options)
    from eoltag.spark.jobs.compact import compact_tables  # takes a while, in which Java starts

    return compact_tables(
        CompactRequest(
            options.output,
            options.rows_per_file,
            tuple(options.drop),
            options.older_than,
            is_dry_run=options.dry_run,
            as_json=options.json,
        )
    )
