"""Which columns of a table an image row takes: the URL's under one of its known names, and three others."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from eoltag.bundle.formats.text import short
from eoltag.errors import NoListError, did_you_mean

URL_COLUMNS: Final = ("eolMediaURL", "obj_url", "object_url", "image_url", "url")
"""In order of preference; `identifier` comes last, and only where its values are URLs."""
IDENTIFIER: Final = "identifier"
OTHER_COLUMNS: Final = (IDENTIFIER, "dataObjectVersionID", "ancestry")
"""What else an ImageRef takes from a table, in its order."""

PROBED_ROWS: Final = 100
"""Lines or rows that are looked at where the first does not settle it."""

ABSENT: Final = -1
"""The place of a column that the table lacks."""

URL_START: Final = re.compile(r"[\s\ufeff\u200b]*https?://", re.IGNORECASE)
WANTED: Final = (
    f"wanted a URL column ({', '.join(URL_COLUMNS)}, or {IDENTIFIER} holding URLs; --url-column names another)"
)
_NAMES_SHOWN: Final = 24


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table. Names match in any case of letters; the first of two alike wins."""

    header: tuple[str, ...]
    """The names of all columns, as the file spells them."""
    places: tuple[int, int, int, int]
    """Positions of URL, identifier, version and ancestry in the header, or ABSENT."""

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that every row gives, the URL's first."""
        return tuple(self.header[place] for place in self.places if place != ABSENT)

    def places_of(self, names: Sequence[str]) -> list[int]:
        """The positions of columns of these names, or ABSENT."""
        return [place_of(name, self.header) for name in names]


def place_of(name: str, header: Sequence[str]) -> int:
    """The position of the column in the header, or ABSENT."""
    lower = name.lower()
    return next((place for place, column in enumerate(header) if column.lower() == lower), ABSENT)


def url_place(header: Sequence[str], wanted: str | None = None) -> int:
    """The position of the wanted URL column; without one, of the preferred one, `identifier` aside; or ABSENT."""
    if wanted is not None:
        return place_of(wanted, header)
    return next((place for name in URL_COLUMNS if (place := place_of(name, header)) != ABSENT), ABSENT)


def choose_columns(
    header: Sequence[str], values_at: Callable[[int], list[str]], label: str, wanted: str | None
) -> tuple[Columns, tuple[str, ...]]:
    """The columns to take, and a note where the choice may surprise. Raises BundleError where none holds URLs.

    values_at: values of the column at a place, in the first rows; asked for `identifier` only. wanted: the name of the
    URL column, where the user says it.
    """
    place = url_place(header, wanted)
    notes: tuple[str, ...] = ()
    if place == ABSENT and wanted is not None:
        near = did_you_mean(wanted, header)
        raise NoListError(f"{label}: wanted the URL column {short(wanted)}; came the columns {listed(header)}{near}")
    if place == ABSENT:
        place, notes = place_of(IDENTIFIER, header), (_require_urls(header, values_at, label),)
    others = [place_of(name, header) for name in OTHER_COLUMNS]
    identifier, version, ancestry = (ABSENT if other == place else other for other in others)
    return Columns(tuple(header), (place, identifier, version, ancestry)), notes


def _require_urls(header: Sequence[str], values_at: Callable[[int], list[str]], label: str) -> str:
    """The note that `identifier` is the URL column. Raises BundleError where few of its values are URLs."""
    place = place_of(IDENTIFIER, header)
    values = [] if place == ABSENT else [value for value in values_at(place) if value.strip()]
    urls = [value for value in values if URL_START.match(value)]
    if place == ABSENT or 2 * len(urls) <= len(values):
        seen = f"; {IDENTIFIER} holds {short(values[0].strip())}" if values else ""
        raise NoListError(f"{label}: {WANTED}; came the columns {listed(header)}{seen}")
    return f"column {IDENTIFIER} is taken for the image URL, since its values are URLs"


def listed(names: Sequence[str]) -> str:
    """The names for a message, not without end."""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(short(name) for name in names[:_NAMES_SHOWN]) + more
