"""Image files on this machine."""

from pathlib import Path

from eoltag.errors import DataError, Forbidden, Gone


def read_image_file(path: Path) -> bytes:
    """The file's bytes. Raises Gone where there is none, Forbidden where it may not be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise Gone("no such file") from problem
    except OSError as problem:
        raise Forbidden(f"cannot be read ({problem.strerror})") from problem


def visible_files(folder: Path) -> list[Path]:
    """Every file at any depth, sorted; hidden ones and those in hidden folders are left out. Raises DataError."""
    if not folder.is_dir():
        came = "a file" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: wanted a folder of images. Received: {came}")
    return sorted(
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts) and path.is_file()
    )


def visible_folders(folder: Path) -> list[Path]:
    """The folders right below, sorted by name; hidden ones are left out."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
