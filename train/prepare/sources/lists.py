"""Classes given as lists of URLs, in any form that the Spark job reads as a bundle."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from eoltag.bundle.lists import open_bundles
from eoltag.errors import DataError
from train.images.files import visible_files
from train.prepare.sources.candidate import Candidate, Offer, Rejection

NULL: Final = "null"


def parse_classes(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """(class, list) of each NAME=LIST. Raises DataError."""
    classes = []
    for argument in arguments:
        name, sign, origin = argument.partition("=")
        if not sign or not name.strip() or not origin.strip():
            raise DataError(f"wanted CLASS=LIST, as maps=maps.txt. Received: {argument!r}")
        classes.append((name.strip(), origin.strip()))
    return classes


def read_lists(lists: Sequence[tuple[str, str, Path]]) -> Offer:
    """Every URL of every (class, what the user called it, file). Raises BundleError.

    A URL that two classes list is offered as rejected under both, since one of them is wrong.
    """
    classes: dict[str, dict[str, str | None]] = {}
    claims: dict[str, set[str]] = {}
    notes: list[str] = []
    for label, origin, path in lists:
        for bundle in open_bundles(path, origin):
            notes += [f"{origin}: {note}" for note in bundle.notes]
            for row in bundle.rows():
                if row.url:
                    urls = classes.setdefault(label, {})
                    urls[row.url] = row.ancestry or urls.get(row.url)
                    claims.setdefault(row.url, set()).add(label)
    candidates = [
        Candidate(label, label, url=url, ancestry=ancestry)
        for label, urls in classes.items()
        for url, ancestry in urls.items()
    ]
    return Offer(tuple(_disputed(candidate, claims[str(candidate.url)]) for candidate in candidates), tuple(notes))


def read_null_folder(folder: Path, label: str) -> Offer:
    """Every file below a folder as one class, known by content later. Raises DataError."""
    files = visible_files(folder)
    if not files:
        raise DataError(f"{folder}: wanted images for the class {label!r}. Received: no files")
    return Offer(tuple(Candidate(label, label, file, file.relative_to(folder).as_posix()) for file in files))


def _disputed(candidate: Candidate, claims: set[str]) -> Candidate:
    if len(claims) == 1:
        return candidate
    return replace(candidate, rejected=Rejection.CONFLICT, detail=f"listed under {', '.join(sorted(claims))}")
