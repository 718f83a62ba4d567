"""Tag the images of EOL bundles: scores and tags as Parquet, tags as TSV.

./spark-submit.sh jobs/tag_bundles.py --bundle LIST ... --task NAME ... --output DIR
"""

import sys

from eoltag.commands.tag import main, parser, settings_of
from eoltag.spark.runtime.command import run_program

__all__ = ["main", "parser", "settings_of"]

if __name__ == "__main__":
    sys.exit(run_program(main))
