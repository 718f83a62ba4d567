"""Decide again from stored scores: a changed threshold or rule re-tags every image without touching one.

./spark-submit.sh jobs/decide_tags.py --task NAME ... --output DIR
"""

import sys

from eoltag.commands.decide import main, parser
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(run_program(main))
