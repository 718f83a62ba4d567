"""Pictures that end or stop whoever decodes them: a sound JPEG followed by the name of what it does.

Others are read well, and end whoever measures or scores them. As a program this is the child of `eoltag.image.careful`
or of `eoltag.pipeline.computing`; with `spark.python.daemon.module` it is the parent of Spark's workers. All of them
meet such pictures.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from PIL import Image

from eoltag.image import careful
from eoltag.image.decode import decode
from eoltag.image.features import FEATURES
from eoltag.model.engines.openvino import OpenVinoNetwork
from eoltag.pipeline import computing
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


def exhaust() -> None:
    """As memory does where it has a limit."""
    raise MemoryError


KINDS: Final = {kind.__name__: kind for kind in (segfault, kill, stop, hang)}
COLOURS: Final = {(201, 17, 3): segfault, (17, 201, 3): exhaust}
"""Pictures of one of these colours alone are deadly where they are measured or scored, not where they are read."""


def picture(jpeg: bytes, kind: str) -> bytes:
    """A picture that does this when it is decoded."""
    return jpeg + MARK + kind.encode()


def sheet(kind: Callable[[], None]) -> bytes:
    """A picture that does this when it is measured or scored."""
    (colour,) = [colour for colour, one in COLOURS.items() if one is kind]
    buffer = BytesIO()
    Image.new("RGB", (20, 16), colour).save(buffer, "PNG")
    return buffer.getvalue()


def deadly(data: bytes, *arguments: Any, **named: Any) -> Decoded:
    """decode, but for these pictures."""
    _, mark, kind = data.rpartition(MARK)
    if mark:
        KINDS[kind.decode()]()
    return decode(data, *arguments, **named)


def look(rows: Any) -> None:
    """Do what deadly pictures do that are among these (N, H, W, 3), or one (H, W, 3)."""
    for one in rows if rows.ndim == 4 else [rows] if rows.ndim == 3 else []:
        colours = np.unique(one.reshape(-1, 3), axis=0)
        red, green, blue = map(int, colours[0])
        if len(colours) == 1 and (red, green, blue) in COLOURS:
            COLOURS[red, green, blue]()


def poison() -> None:
    """From here on the decoder, the network and the features of this process meet deadly pictures."""
    careful.decode = deadly  # type: ignore[attr-defined]
    careful.CHILD = computing.CHILD = "tests.support.deadly"
    predict, feature = OpenVinoNetwork.predict, FEATURES["mnorm_pp"]

    def looking(self: OpenVinoNetwork, rows: Any) -> Any:
        look(rows)
        return predict(self, rows)

    def measured(one: Any) -> float:
        look(one)
        return feature.measure(one)

    OpenVinoNetwork.predict = looking  # type: ignore[method-assign]
    FEATURES["mnorm_pp"] = replace(feature, measure=measured)


if __name__ == "__main__":
    poison()
    if len(sys.argv) > 2:
        careful.work(Connection(int(sys.argv[1])), float(sys.argv[2]))
    elif len(sys.argv) > 1 and sys.argv[1].isdigit():
        computing.work(Connection(int(sys.argv[1])))
    else:
        from pyspark.daemon import manager

        manager()
