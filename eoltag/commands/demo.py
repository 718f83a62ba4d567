"""From nothing to tags on this machine, in a few minutes: draws pictures, trains, serves them on loopback, tags them.

eoltag demo
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from eoltag.demo.steps import run_demo


def parser() -> argparse.ArgumentParser:
    """The command line."""
    new = argparse.ArgumentParser(
        prog="eoltag demo",
        description="Draw five kinds of picture, train a small model, serve 300 pictures and some broken ones on "
        "loopback, and tag them with the real job. Needs no network.",
    )
    new.add_argument(
        "folder", nargs="?", type=Path, default=Path("eoltag-demo"), metavar="DIR", help="default: %(default)s"
    )
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    return run_demo(parser().parse_args(arguments).folder)
