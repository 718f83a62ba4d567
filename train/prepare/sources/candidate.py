"""What may become a training image, before anybody has looked at it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from eoltag.errors import DataError
from train.records import Split, strata_of

_MAX_LABEL: Final = 100


class Rejection(StrEnum):
    """Why an image that could be read is left out all the same; beside eoltag's outcomes."""

    NO_LABEL = "no_label"
    """Nothing says which class it belongs to."""
    CONFLICT = "conflict"
    """Two classes claim it."""
    DISPUTED = "disputed"
    """People do not agree on its class."""
    CHANGED = "changed"
    """The server gives another picture by now than the one that was judged."""
    OVERRULED = "overruled"
    """People say another class of the same picture."""
    TOO_SMALL = "too_small"
    ANIMATED = "animated"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image that a source offers: a file here, or a URL to be fetched."""

    label: str
    stratum: str
    """Caps count by it: mostly the label, for ratings the stars."""
    file: Path | None = None
    source_path: str | None = None
    """Path of the file, relative to the folder that the user named."""
    url: str | None = None
    page: str | None = None
    licence: str | None = None
    author: str | None = None
    split: Split | None = None
    """Where the source has put it."""
    stars: int | None = None
    """1 to 5, of a rated image."""
    ancestry: str | None = None
    """Names of taxa, joined by |."""
    judged_by: str | None = None
    """People whose judgement the label is, joined by |."""
    content_sha256: str | None = None
    """Digest of the picture that was judged; a file that is no copy of it has to have this one."""
    is_copy: bool = False
    """The file is a smaller copy that was kept of that picture."""
    rejected: str | None = None
    """A Rejection or Outcome that is known before the image is looked at."""
    detail: str | None = None
    present: tuple[str, ...] = ()
    """In a set of several labels an image: those that it shows, which `label` then joins by `|`."""
    absent: tuple[str, ...] = ()
    """Likewise: labels that it is known not to show. Nothing is known of all others."""

    @property
    def has_answers(self) -> bool:
        """It is of a set of several labels an image."""
        return bool(self.present or self.absent)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of which something is said: its class, or each that is known to be there or not."""
        return (*self.present, *self.absent) or (self.label,)

    @property
    def strata(self) -> tuple[str, ...]:
        """What a split divides evenly; see strata_of."""
        return strata_of(self.label, self.present, self.absent)

    def contradicts(self, other: "Candidate") -> bool:
        """Both cannot be true of one picture."""
        if not self.has_answers:
            return self.label != other.label
        return not {*self.present}.isdisjoint(other.absent) or not {*self.absent}.isdisjoint(other.present)

    @property
    def key(self) -> tuple[str, str, str]:
        """Sorts candidates whatever the order in which they were found."""
        return self.label, self.source_path or "", self.url or ""


@dataclass(frozen=True, slots=True)
class Offer:
    """All that a source offers."""

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()
    """Sentences for the user on what was decided and may surprise."""
    caps: Mapping[str, int | None] = field(default_factory=dict)
    """Stratum -> how many of its images are drawn, in place of the cap of all; None for every one."""


def check_labels(labels: Iterable[str]) -> None:
    """Raises DataError where a label cannot be the name of a folder."""
    for label in labels:
        is_plain = label.isprintable() and not any(char in '/\\"' for char in label)
        if not label.strip() or label.startswith(".") or len(label) > _MAX_LABEL or not is_plain:
            raise DataError(f"class {label!r}: wanted a name that can be a folder's (no slash, no dot in front)")
