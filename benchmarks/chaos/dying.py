"""tag_bundles.py that is killed just before change number CHAOS_DIES_AT of its output directory."""

import os
import signal
import sys
from threading import Lock
from typing import Any, Final

from eoltag.commands.tag import main
from eoltag.spark.runtime.command import run_program

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES: Final = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree")


def die_before(number: int, folder: str) -> None:
    """Count what Python tells its auditors of this folder, and send this process SIGKILL at that number."""
    seen, lock = [0], Lock()

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            is_change = isinstance(arguments[2], int) and bool(arguments[2] & _WRITING)
        else:
            is_change = event in _CHANGES
        if is_change and any(folder in os.fsdecode(one) for one in arguments[:2] if isinstance(one, str | bytes)):
            with lock:
                seen[0] += 1
                if seen[0] == number:
                    os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(on_event)


if __name__ == "__main__":
    die_before(int(os.environ["CHAOS_DIES_AT"]), sys.argv[sys.argv.index("--output") + 1])
    sys.exit(run_program(main))
