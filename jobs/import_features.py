"""Vectors that somebody else computed become stored features, which heads are trained on and predicted from.

./spark-submit.sh jobs/import_features.py --vectors FILE.parquet --base NAME --output DIR
"""

import sys

from eoltag.commands.import_features import main, parser
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(run_program(main))
