"""What a user points at: files, folders, URLs, or a list of them on stdin."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eoltag.errors import DataError, ImageError
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings
from train.images.files import read_image_file, require_text, visible_files

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp")
READ_AHEAD_BYTES: Final = 256_000_000


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One image to look at."""

    path: str
    """A file or a URL, as given or as found."""
    is_found: bool = False
    """It lay in a folder without the suffix of an image: if it is none, nobody asked for it."""

    @property
    def is_url(self) -> bool:
        """To be fetched."""
        return self.path.lower().startswith(("http://", "https://"))


def find_sources(arguments: Sequence[str], stdin: Iterable[str]) -> list[ImageSource]:
    """Every image meant, in the order given; folders by sorted path. Raises DataError where there is none."""
    sources = list(_find(arguments, stdin))
    if not sources:
        raise DataError(
            f"no images in {', '.join(arguments) or 'what was given'}: wanted a file, a folder with files, a URL, or "
            "lines of them on stdin with -"
        )
    return sources


def _find(arguments: Iterable[str], stdin: Iterable[str]) -> Iterator[ImageSource]:
    for argument in arguments:
        if argument == "-":
            lines = (line.strip().lstrip("\ufeff") for line in stdin)
            yield from _find((line for line in lines if line not in ("", "-")), ())
        elif not ImageSource(argument).is_url and Path(argument).is_dir():
            yield from _walk(Path(argument))
        else:
            require_text(Path(argument))
            yield ImageSource(argument)


def _walk(folder: Path) -> Iterator[ImageSource]:
    for path in visible_files(folder):
        yield ImageSource(str(path), is_found=path.suffix.lower() not in IMAGE_SUFFIXES)


def read_sources(sources: Sequence[ImageSource], settings: FetchSettings) -> Iterator[tuple[int, Fetched]]:
    """Position and bytes, or why there are none: files in order, then URLs as they arrive."""
    for at, source in enumerate(sources):
        if not source.is_url:
            yield at, _read(source.path)
    urls = [(at, source.path) for at, source in enumerate(sources) if source.is_url]
    if urls:
        from eoltag.fetch.read_ahead import fetch_ahead  # brings the HTTP client along

        for (at, _), content in fetch_ahead(
            urls, lambda item: FetchRequest(item[1]), settings, rate_share=1, max_images=64, max_bytes=READ_AHEAD_BYTES
        ):
            yield at, content


def _read(path: str) -> Fetched:
    try:
        return Fetched(read_image_file(Path(path)), Outcome.OK, None, None, 1)
    except ImageError as problem:
        return Fetched(None, problem.outcome, problem.detail, None, 1)
