"""EOL's lists of rated images: `one_download.txt` to `five_download.txt`, and what it draws of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eoltag.errors import OutputError
from train.prepare.gather import drawn
from train.prepare.sources.candidate import Candidate, Offer

NAMES: Final = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
_SUFFIXES: Final = ("_download.txt", "_download_7k.txt")


@dataclass(frozen=True, slots=True)
class RatingLists:
    """Lists that were written."""

    folder: Path
    lists: dict[str, int]
    """Name of each file -> its URLs."""

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"lists": str(self.folder), "urls": self.lists}

    def text(self) -> str:
        """For a person."""
        return "\n".join(f"{self.folder / name}: {urls} URLs" for name, urls in self.lists.items())


def write_rating_lists(offer: Offer, cap: int, seed: int, folder: Path) -> dict[str, int]:
    """Name of each file -> its URLs, one a line: every image of a star, and in `_7k` those drawn by the seed.

    The draw is that of a set with the same seed, where no download fails. Raises OutputError.
    """
    lists: dict[str, list[str]] = {f"{name}{suffix}": [] for name in NAMES.values() for suffix in _SUFFIXES}
    for candidate in offer.candidates:
        lists[_name(candidate, _SUFFIXES[0])].append(str(candidate.url))
    for stratum, members in drawn(offer.candidates, seed).items():
        size = offer.caps.get(stratum, cap)
        for candidate in list(reversed(members))[:size]:
            lists[_name(candidate, _SUFFIXES[1])].append(str(candidate.url))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, urls in lists.items():
            _write(folder / name, urls)
    except OSError as problem:
        raise OutputError(f"{folder}: cannot be written ({problem.strerror})") from problem
    return {name: len(urls) for name, urls in lists.items()}


def _name(candidate: Candidate, suffix: str) -> str:
    return f"{NAMES[candidate.stars or 0]}{suffix}"


def _write(path: Path, urls: Iterable[str]) -> None:
    path.write_text("".join(f"{url}\n" for url in sorted(urls)), encoding="utf-8")
