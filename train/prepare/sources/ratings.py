"""EOL's image ratings and exemplars: URLs with one to five stars, which become classes.

A rating is rounded half to even, as EOL's lists were: 2.5 is two stars, 3.5 four. Five is best. Rated five are few, so
the images that curators chose as exemplars count as five; a rating of the image itself goes before that. EOL takes
every image rated five, every one that was chosen more than once, and 4,000 of the other exemplars.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final, Literal

from eoltag.bundle.formats.text import find_encoding, find_sources
from eoltag.errors import DataError
from train.prepare.sources.candidate import Candidate, Offer

LIST_FILES: Final = "https://editors.eol.org/other_files/EOL_v2_files"
RATINGS_URL: Final = f"{LIST_FILES}/image_ratings.txt.zip"
EXEMPLARS_URL: Final = f"{LIST_FILES}/images_selected_as_exemplar.txt.zip"

RatingLayout = Literal["stars", "quality"]
QUALITY: Final = {1: "bad", 2: "bad", 4: "good", 5: "good"}
"""Three stars are neither."""

EOL_CAP: Final = 7_000
"""Images of one to four stars each that EOL draws."""
EOL_EXEMPLARS: Final = 4_000
"""Exemplars that were chosen once, of which EOL draws so many."""
_FIVE: Final = "5 stars"
_ONCE: Final = "5 stars, exemplars chosen once"

RATING: Final = "overall_rating"
URLS: Final = ("obj_url", "object_url", "eolMediaURL", "image_url", "url")
"""The ratings have the first, the exemplars the second."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A list on this machine, and what the user called it."""

    path: Path
    origin: str


def read_ratings(ratings: TableFile, exemplars: TableFile | None, layout: RatingLayout, *, as_eol: bool) -> Offer:
    """Every rated URL once, under its stars (`1` to `5`) or its quality (`bad`, `good`). Raises DataError.

    Caps count by stars in both layouts, as EOL capped its lists before it put them together. as_eol: five stars have
    the caps of EOL.
    """
    stars, skipped, repeated = _rated(ratings)
    notes = []
    if skipped:
        notes.append(
            f"{ratings.origin}: {skipped} rows without a URL or with a rating outside 0.5 to 5.5 were left out"
        )
    if repeated:
        notes.append(f"{ratings.origin}: {repeated} rows repeat a URL; the first rating counts")
    once: set[str] = set()
    if exemplars is not None:
        added, once, disputed = _add_exemplars(stars, exemplars)
        notes.append(f"{exemplars.origin}: {added} exemplars were added to the images with five stars")
        if disputed:
            notes.append(f"{exemplars.origin}: {disputed} exemplars are rated otherwise and keep their rating")
    candidates = tuple(
        Candidate(label, _ONCE if as_eol and url in once else f"{star} stars", url=url, stars=star)
        for url, star in stars.items()
        if (label := str(star) if layout == "stars" else QUALITY.get(star)) is not None
    )
    if not candidates:
        raise DataError(f"{ratings.origin}: wanted rows with a URL and a rating of 1 to 5. Received: none")
    return Offer(candidates, tuple(notes), {_FIVE: None, _ONCE: EOL_EXEMPLARS} if as_eol else {})


def _rated(table: TableFile) -> tuple[dict[str, int], int, int]:
    """URL -> stars, rows without one of both, and rows that repeat a URL."""
    stars: dict[str, int] = {}
    skipped = repeated = 0
    for row in _rows(table, (RATING,)):
        star = _stars(row[RATING])
        if star is None or not row["url"]:
            skipped += 1
        elif row["url"] in stars:
            repeated += 1
        else:
            stars[row["url"]] = star
    return stars, skipped, repeated


def _add_exemplars(stars: dict[str, int], table: TableFile) -> tuple[int, set[str], int]:
    """How many exemplars were added, which of these were chosen once, and how many have another rating."""
    added = disputed = 0
    once: set[str] = set()
    for url, times in Counter(row["url"] for row in _rows(table, ()) if row["url"]).items():
        if url not in stars:
            stars[url] = 5
            added += 1
            once |= {url} if times == 1 else set()
        elif stars[url] != 5:
            disputed += 1
    return added, once, disputed


def _stars(text: str) -> int | None:
    try:
        rating = float(text)
    except ValueError:
        return None
    star = round(rating) if isfinite(rating) else 0
    return star if 1 <= star <= 5 else None


def _rows(table: TableFile, wanted: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    """Each row's URL as `url`, and the wanted columns. No quoting: an unbalanced quote is a character like another."""
    sources, _ = find_sources(table.path, table.origin)
    source = sources[0]
    encoding, _ = find_encoding(source)
    with source.lines(encoding) as lines:
        header = [name.strip() for name in next(iter(lines), "").rstrip("\r\n").split("\t")]
        places = {name: _place(header, (name,), source.label) for name in wanted}
        places["url"] = _place(header, URLS, source.label)
        for line in lines:
            cells = line.rstrip("\r\n").split("\t")
            if any(cells):
                yield {name: cells[at].strip() if at < len(cells) else "" for name, at in places.items()}


def _place(header: list[str], names: tuple[str, ...], label: str) -> int:
    lower = [name.lower() for name in header]
    for name in names:
        if name.lower() in lower:
            return lower.index(name.lower())
    raise DataError(f"{label}: wanted the column {' or '.join(names)}. Received: {', '.join(header)}")
