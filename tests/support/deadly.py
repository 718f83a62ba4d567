"""Pictures that end or stop whoever decodes them: a sound JPEG followed by the name of what it does.

As a program this is the child of `eoltag.image.careful`; with `spark.python.daemon.module` it is the parent of Spark's
workers. Both decode with `deadly`.
"""

import ctypes
import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any, Final

from eoltag.image import careful
from eoltag.image.decode import decode
from eoltag.records import Decoded

MARK: Final = b"\nthis picture: "


def segfault() -> None:
    """As a broken decoder does."""
    ctypes.string_at(0)


def kill() -> None:
    """As the kernel does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def stop() -> None:
    """As somebody's debugger does."""
    os.kill(os.getpid(), signal.SIGSTOP)


def hang() -> None:
    """In C code that gives no other thread a turn."""
    ctypes.PyDLL(None).sleep(600)


KINDS: Final = {kind.__name__: kind for kind in (segfault, kill, stop, hang)}


def picture(jpeg: bytes, kind: str) -> bytes:
    """A picture that does this when it is decoded."""
    return jpeg + MARK + kind.encode()


def deadly(data: bytes, *arguments: Any, **named: Any) -> Decoded:
    """decode, but for these pictures."""
    _, mark, kind = data.rpartition(MARK)
    if mark:
        KINDS[kind.decode()]()
    return decode(data, *arguments, **named)


if __name__ == "__main__":
    careful.decode = deadly
    if len(sys.argv) > 2:
        careful.work(Connection(int(sys.argv[1])), float(sys.argv[2]))
    else:
        from pyspark.daemon import manager

        careful.CHILD = "tests.support.deadly"
        manager()
