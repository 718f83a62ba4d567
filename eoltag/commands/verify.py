"""Check an output directory: every row, file and publication, or the list of what is wrong.

eoltag verify OUTPUT
"""

import argparse
from collections.abc import Sequence

from eoltag.errors import ExitCode
from eoltag.spark.requests import VerifyRequest
from eoltag.spark.runtime.command import Parser, start_spark

EXAMPLES = """\
examples:
  ./spark-submit.sh jobs/verify_output.py build/demo/output
  ./spark-submit.sh jobs/verify_output.py build/demo/output --bundle build/demo/bundles

Every bundle row must have one row in the tags of each task, with just the values that the stored facts and the rules of
the decision give; no fact may be there twice; files must be those that were written; TSV files must be as the decision
wrote them; publications must be as their manifests say, and the current one must have the tags of today.
Exit code 0: nothing is wrong. Exit code 4: the list of what is wrong was printed. Nothing is written in OUTPUT."""


def parser(prog: str = "verify_output.py") -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="Check an output directory: rows, columns, files, decisions, publications.",
        epilog=EXAMPLES,
    )
    new.add_argument("output", metavar="OUTPUT", help="the --output directory of the runs")
    new.add_argument(
        "--bundle",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATH_OR_URL",
        help="lists whose rows must all be there, as they were given to the run",
    )
    return new


def main(prog: str = "verify_output.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    start_spark(options)
    from eoltag.spark.jobs.verify import verify_output  # takes a while, in which Java starts

    return verify_output(VerifyRequest(options.output, options.bundle, as_json=options.json))
