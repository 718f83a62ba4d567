"""Folders of attempts: OUT/001, OUT/002, ... of one model, each with a package in it; `chosen.json` names one.

A path to such a folder means the chosen attempt, for every verb of training and every job.
"""

import json
from pathlib import Path
from typing import Final, Literal

from eoltag.errors import PackageError
from eoltag.settings import Strict, parse

__all__ = ["Choice", "attempts", "find_package", "finished_attempts", "read_choice", "write_choice"]

CARD_FILE: Final = "card.json"
PACKAGE_FOLDER: Final = "package"
CHOICE_FILE: Final = "chosen.json"


class Choice(Strict):
    """chosen.json."""

    attempt: str
    """The folder that is meant, such as `002`."""
    by: Literal["validation", "hand"]
    """`validation`: the best of those below; a later `fit` may choose another. `hand`: it stays as it is."""
    val_accuracy: dict[str, float] = {}
    """Attempt -> share of its validation images that it names right."""


def attempts(out: Path) -> list[Path]:
    """The attempts below `out`, oldest first, finished or not."""
    if not out.is_dir():
        return []
    folders = (folder for folder in out.iterdir() if folder.is_dir() and folder.name.isdecimal())
    return sorted(folders, key=lambda folder: int(folder.name))


def finished_attempts(out: Path) -> list[Path]:
    """Those that have a package, oldest first."""
    return [folder for folder in attempts(out) if (folder / PACKAGE_FOLDER / CARD_FILE).is_file()]


def find_package(path: Path) -> Path:
    """The package that `path` means: the path itself, the package of an attempt, or that of the chosen attempt.

    A folder with one finished attempt needs no choice. Raises PackageError where it is not clear what is meant.
    """
    if (path / CARD_FILE).is_file() or not path.is_dir():
        return path
    if (path / PACKAGE_FOLDER / CARD_FILE).is_file():
        return path / PACKAGE_FOLDER
    finished, choice = finished_attempts(path), read_choice(path)
    if choice is not None:
        if path / choice.attempt not in finished:
            known = ", ".join(folder.name for folder in finished) or "none"
            raise PackageError(
                f"{path / CHOICE_FILE}: chooses attempt {choice.attempt!r}, which is not there or not finished; "
                f"finished: {known}"
            )
        return path / choice.attempt / PACKAGE_FOLDER
    if len(finished) > 1:
        names = ", ".join(folder.name for folder in finished)
        raise PackageError(
            f"{path}: holds the attempts {names} and no {CHOICE_FILE}; choose with `python -m train fit --out {path} "
            "--choose best`, or name one of them in place of best"
        )
    if not finished and attempts(path):
        raise PackageError(f"{path}: none of its attempts is finished; go on with `python -m train fit --resume`")
    return finished[0] / PACKAGE_FOLDER if finished else path


def read_choice(out: Path) -> Choice | None:
    """What chosen.json says; None where there is none. Raises PackageError."""
    path = out / CHOICE_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise PackageError(f"{path}: cannot be read ({problem})") from problem
    if not isinstance(content, dict):
        raise PackageError(f"{path}: wanted a table with the key attempt. Received: {type(content).__name__}")
    return parse(Choice, content, str(path), PackageError)


def write_choice(out: Path, choice: Choice) -> None:
    """Replace chosen.json at once."""
    staged = out / f"{CHOICE_FILE}.tmp"
    staged.write_text(json.dumps(choice.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    staged.replace(out / CHOICE_FILE)
