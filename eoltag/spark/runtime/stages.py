"""A line on stderr for each stage of a job, with the seconds since its start. Stages log to `eoltag`, at INFO.

In a notebook or a program of somebody's own nothing is shown, unless that asks Python's logging for it.
"""

import logging
import sys
from typing import Final

ROOT: Final = logging.getLogger("eoltag")


class _Lines(logging.Handler):
    """Writes above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        line = f"[{record.relativeCreated / 1000:7.1f} s] {record.getMessage()}"
        if "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)


def show_stages() -> None:
    """Show what is logged, once for this process."""
    if not any(isinstance(handler, _Lines) for handler in ROOT.handlers):
        ROOT.addHandler(_Lines())
        ROOT.propagate = False
    ROOT.setLevel(logging.INFO)


def hide_stages() -> None:
    """--quiet: nothing but warnings."""
    ROOT.setLevel(logging.WARNING)
