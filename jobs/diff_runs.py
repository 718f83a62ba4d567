"""What changed between two runs, or between two versions of a model: which tags flipped, counted and listed.

./spark-submit.sh jobs/diff_runs.py --task NAME --output DIR
"""

import sys

from eoltag.commands.diff import main, parser
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(run_program(main))
