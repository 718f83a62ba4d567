"""The console command: eoltag COMMAND, or python -m eoltag COMMAND.

Example: eoltag views build/output
"""

import argparse
import sys
from collections.abc import Sequence

from eoltag import __version__
from eoltag.commands.registry import COMMANDS, run
from eoltag.errors import ExitCode, UsageError


def parser() -> argparse.ArgumentParser:
    """The command line up to the command; the rest is the command's own."""
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())
    new = argparse.ArgumentParser(
        prog="eoltag",
        description="Tag very large collections of images with image classifiers, on Apache Spark.",
        epilog=f"commands:\n{listed}\n\neach explains itself: eoltag tag --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("--version", action="version", version=f"eoltag {__version__}")
    new.add_argument("command", nargs="?", metavar="COMMAND", help="one of those below")
    new.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="its options")
    return new


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = parser().parse_args(arguments)
    if options.command is None:
        parser().print_help(sys.stderr)
        return int(ExitCode.UNUSABLE)
    try:
        return run(options.command, options.arguments)
    except UsageError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return int(problem.exit_code)


if __name__ == "__main__":
    sys.exit(main())
