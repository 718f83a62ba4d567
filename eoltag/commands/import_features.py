"""Vectors that somebody else computed become stored features, which heads are trained on and predicted from.

eoltag import-features --vectors FILE.parquet --base NAME --output DIR
"""

from collections.abc import Sequence

from eoltag.errors import ExitCode
from eoltag.spark.requests import ImportRequest
from eoltag.spark.runtime.command import Parser, start_spark

EXAMPLES = """\
examples:
  ./spark-submit.sh jobs/import_features.py --vectors treeoflife/*.parquet --base bioclip-2 --output /data/eol
  python -m train fit head.toml --features /data/eol --labels labels.csv --out models/mine

The second command trains a head on them, where head.toml says features_of = "bioclip-2".
Each file has a column that names the image (eolMediaURL or url, identifier, content_sha256 or sha256) and one of lists
of float16 or float32. All vectors of a base are of one length; what is not a finite number, or named twice with
different vectors, is refused with its row. An image that was never fetched is known by its vector alone."""


def parser(prog: str = "import_features.py") -> Parser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="Store vectors that somebody else computed as features of a base.",
        epilog=EXAMPLES,
    )
    new.add_argument("--vectors", nargs="+", required=True, metavar="PATH", help="Parquet files, or folders of such")
    new.add_argument("--base", required=True, metavar="NAME", help="the name of what computed them, such as bioclip-2")
    new.add_argument("--output", required=True, metavar="DIR", help="the output directory of the runs")
    new.add_argument("--column", metavar="NAME", help="the column of vectors (default: vector, features or embedding)")
    return new


def main(prog: str = "import_features.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    start_spark(options)
    from eoltag.spark.jobs.import_features import import_features  # takes a while, in which Java starts

    return import_features(ImportRequest(options.vectors, options.base, options.output, options.column, options.json))
