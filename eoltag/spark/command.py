"""What every job shares: errors to one line and an exit code, results to stdout, everything else to stderr."""

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any, NoReturn

from eoltag.errors import ExitCode, UsageError

INTERRUPTED = 130
"""What shells expect after Ctrl-C: 128 + SIGINT."""


class Parser(ArgumentParser):
    """The command line of a job, with the options that every job has.

    Says what is wrong in one line, like every other mistake of a user.
    """

    def __init__(self, prog: str, description: str, epilog: str, *, has_all_tasks: bool = False) -> None:
        """has_all_tasks: where no --task is given, the job takes all tasks that it finds in the output."""
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument(
            "--task",
            nargs="+",
            action="extend",
            required=not has_all_tasks,
            default=[] if has_all_tasks else None,
            metavar="NAME" if has_all_tasks else "NAME_OR_FILE",
            help="only these tasks" if has_all_tasks else "conf/tasks/NAME.toml or a file",
        )
        self.add_argument("--json", action="store_true", help="the summary as one JSON document on stdout")

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
