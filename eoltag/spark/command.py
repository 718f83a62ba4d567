"""What every job shares: errors to one line and an exit code, results to stdout, everything else to stderr."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, NoReturn

from eoltag.errors import ExitCode, UsageError

INTERRUPTED = 130
"""What shells expect after Ctrl-C: 128 + SIGINT."""


class Parser(ArgumentParser):
    """Says what is wrong in one line, like every other mistake of a user."""

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def run_command(main: Callable[[], ExitCode]) -> int:
    """The exit code of `main`. A bug or a lost cluster leaves its stack trace and exit code 1 to Python."""
    try:
        return int(main())
    except UsageError as problem:
        print(f"error: {' '.join(str(problem).split())}", file=sys.stderr)
        return int(problem.exit_code)
    except KeyboardInterrupt:
        print("interrupted: what was committed stays; the same command goes on from there", file=sys.stderr)
        return INTERRUPTED


def show(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    """The one thing that goes to stdout."""
    print(json.dumps(document, indent=2) if as_json else text, flush=True)
