"""Image files on this machine."""

from pathlib import Path

from eoltag.errors import Forbidden, Gone


def read_image_file(path: Path) -> bytes:
    """The file's bytes. Raises Gone where there is none, Forbidden where it may not be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise Gone("no such file") from problem
    except OSError as problem:
        raise Forbidden(f"cannot be read ({problem.strerror})") from problem
