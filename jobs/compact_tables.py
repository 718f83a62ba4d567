"""Many small Parquet files of facts to few: the same rows and columns, quicker to query.

./spark-submit.sh jobs/compact_tables.py --output DIR
"""

import sys

from eoltag.commands.compact import main, parser
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(run_program(main))
