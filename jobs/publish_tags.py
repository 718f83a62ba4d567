"""Publish the decided tags: what others read, complete, switched at once, and undone in one command.

./spark-submit.sh jobs/publish_tags.py OUTPUT --task NAME ...
"""

import sys

from eoltag.commands.publish import main, parser
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(run_program(main))
