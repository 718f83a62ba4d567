"""See the tags: the page report/index.html again from the written tables.

./spark-submit.sh jobs/report_tags.py --output DIR
"""

import sys

from eoltag.commands.report import main, parser
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(run_program(main))
