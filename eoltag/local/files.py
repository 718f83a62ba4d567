"""Files on this machine's disks, by Python alone: what needs no JVM still works when that is gone.

Functions have the names and promises of `eoltag.spark.tables.files.Files`. Every one may raise OSError.
"""

import ctypes
import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

HALF_WRITTEN: Final = ".tmp"
"""So ends the name under which a text is written before it takes its place: a kill in between leaves it."""
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_NOT_HERE: Final = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV)


def exists(path: str) -> bool:
    """There is a file or directory."""
    return Path(path).exists()


def names(path: str) -> list[str]:
    """Names in a directory, sorted; none where there is no such directory."""
    try:
        return sorted(os.listdir(path))  # noqa: PTH208 - names are what is wanted
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        return [Path(path).name] if Path(path).exists() else []


def size(path: str) -> tuple[int, int]:
    """Files in a directory and in all below, and their bytes together."""
    if Path(path).is_file():
        return 1, Path(path).stat().st_size
    sizes = [file.stat().st_size for file in Path(path).rglob("*") if file.is_file()]
    return len(sizes), sum(sizes)


def modified(path: str) -> float:
    """When a file was last written, in seconds, by the clock of the file system."""
    return Path(path).stat().st_mtime


def make_folder(path: str) -> None:
    """Make a directory and its parents."""
    Path(path).mkdir(parents=True, exist_ok=True)


def move(source: str, target: str) -> None:
    """Rename, making the target's parent first."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(source).rename(target)


def replace(source: str, target: str) -> None:
    """Rename a file over another one, which is there until then, in one step."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(source).replace(target)


def exchange(one: str, other: str) -> bool:
    """Let two paths change places in one step, folders too; whether this system and file system can do so."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_HERE:
        return False
    raise OSError(code, os.strerror(code), one, None, other)


def delete(path: str) -> None:
    """Delete a file, or a directory with everything below; nothing where there is nothing."""
    try:
        if Path(path).is_dir() and not Path(path).is_symlink():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)
    except (FileNotFoundError, NotADirectoryError):  # somebody else was quicker
        return


def delete_empty(path: str) -> None:
    """Delete a directory if nothing is in it."""
    try:
        Path(path).rmdir()
    except OSError as problem:
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise


def read_text(path: str) -> str:
    """The text of a small file."""
    return Path(path).read_bytes().decode("utf-8", "replace")


def write_text(path: str, text: str) -> None:
    """Write a small file. Whoever reads it, at whatever moment, finds the old text or the new one."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(f"{path}{HALF_WRITTEN}")
    fresh.write_bytes(text.encode())
    fresh.replace(path)


def upload(local: Path, target: str) -> None:
    """Copy a file."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(local, target)


def sha256(path: str) -> str:
    """The sha256 of a file, in hex digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def download(source: str, local: Path) -> None:
    """Copy a file."""
    shutil.copyfile(source, local)
