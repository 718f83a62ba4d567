"""Check an output directory: every row, file and publication, or the list of what is wrong.

./spark-submit.sh jobs/verify_output.py OUTPUT
"""

import sys

from eoltag.commands.verify import main, parser
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(run_program(main))
