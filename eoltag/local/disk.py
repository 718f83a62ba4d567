"""A full, read-only or broken disk as one line: which path, and what is wrong with it."""

import errno
import os
import tempfile
from collections.abc import Iterator
from typing import Final

CAUSES: Final = {
    errno.ENOSPC: "No space left on device",
    errno.EDQUOT: "Disk quota exceeded",
    errno.EROFS: "Read-only file system",
    errno.EFBIG: "File too large",
    errno.EIO: "Input/output error",
    errno.EMFILE: "Too many open files",
    errno.EACCES: "Permission denied",
}
"""Number -> how the system says it, in Java's exceptions too."""
_FULL_BYTES: Final = 16 << 20
_NO_TEMPORARY: Final = "No usable temporary directory"


def disk_problem(problem: BaseException, *places: str) -> str | None:
    """The line for what went wrong, by Python or in the JVM; None where it was no disk.

    places: folders on this machine that were being written; the temporary folder is one in any case.
    """
    for one in _chain(problem):
        if isinstance(one, OSError) and one.errno in CAUSES:
            named = one.filename2 or one.filename  # of a copy the second is written
            place = os.fsdecode(named) if isinstance(named, str | bytes) else _suspect(places, one.errno)
            return f"{place}: {CAUSES[one.errno]}; {_ADVICE}"
        if isinstance(one, OSError) and _NO_TEMPORARY in str(one):
            return f"{os.environ.get('TMPDIR', 'TMPDIR')}: no temporary file can be made there; {_ADVICE}"
        text = str(one)
        for number in _BY_JAVA:
            if f"{CAUSES[number]}" in text:
                return f"{_suspect(places, number)}: {CAUSES[number]}; {_ADVICE}"
    return None


_ADVICE: Final = "what was committed stays; when it can be written again, the same command goes on from there"
_BY_JAVA: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""Said of nothing but disks."""


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    """The exception, and those that it came of."""
    while problem is not None:
        yield problem
        problem = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)


def _suspect(places: tuple[str, ...], number: int) -> str:
    """The folder that cannot be written, as the system shows it; the first one where it does not."""
    wanted = [*places, tempfile.gettempdir()]
    for place in wanted:
        try:
            state = os.statvfs(place)
        except OSError:
            continue
        is_read_only = bool(state.f_flag & os.ST_RDONLY)
        if is_read_only if number == errno.EROFS else state.f_bavail * state.f_frsize < _FULL_BYTES:
            return place
    return wanted[0]
