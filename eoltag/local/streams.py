"""What is printed, on terminals and in files of any encoding."""

import os
import sys
from io import TextIOWrapper

from eoltag.errors import OutputError


def print_anything() -> None:
    """From here on, a letter that stdout or stderr cannot write comes as \\u1234: under PYTHONIOENCODING=ascii too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print what was asked for to stdout. Raises OutputError where that cannot be written, as on a full disk.

    A reader that has seen enough, such as `head`, is no error.
    """
    try:
        print(text, flush=True)
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest goes when the process ends
        if not isinstance(problem, BrokenPipeError):
            raise OutputError(f"standard output cannot be written ({problem.strerror}); all else is done") from problem
