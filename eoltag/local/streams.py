"""What is printed, on terminals and in files of any encoding."""

import sys
from io import TextIOWrapper


def print_anything() -> None:
    """From here on, a letter that stdout or stderr cannot write comes as \\u1234: under PYTHONIOENCODING=ascii too."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
