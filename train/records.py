"""Values that the verbs of training share: splits, labelled images, sets of them, files that cannot be read."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from eoltag.records import Outcome


class Split(StrEnum):
    """Part of a data set: what a model learns from, what chooses among models, what measures the chosen one."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"

    @classmethod
    def named(cls, name: str) -> "Split | None":
        """The split that a folder or a table calls so, in any case; None where the name is no split's."""
        return _SPELLINGS.get(name.strip().casefold())


_SPELLINGS: Final = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "dev": Split.VAL,
    "test": Split.TEST,
    "testing": Split.TEST,
}


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One image: where it is, what it shows, where it came from, what became of it."""

    path: str | None
    """The image file, with `/`, relative to the manifest's folder; None where the image is not in the set."""
    label: str
    split: Split | None = None
    """None where the set is not split."""
    source_path: str | None = None
    """The file it was made from, relative to the folder that was read."""
    source_url: str | None = None
    """URL of the image itself."""
    page: str | None = None
    """The page, post or observation that the image is part of; its images never straddle splits."""
    licence: str | None = None
    author: str | None = None
    sha256: str | None = None
    """Digest of the bytes that came, before any conversion; hexadecimal."""
    perceptual_hash: str | None = None
    """16 hexadecimal digits, see eoltag.image.decode.difference_hash."""
    width: int | None = None
    """Pixels across what came, upright."""
    height: int | None = None
    color_mode: str | None = None
    """Colour mode of what came: RGB, L, CMYK, P, RGBA, ..."""
    outcome: str = "ok"
    """ok, an eoltag.records.Outcome, or one of train's own reasons such as too_small."""
    detail: str | None = None
    stars: int | None = None
    """Of an image that people rated: 1 to 5, 5 is best."""
    ancestry: str | None = None
    """Names of the taxa above what is shown, joined by |."""
    file_sha256: str | None = None
    """Digest of the file in the set, which differs from that of what came where it was converted."""
    judged_by: str | None = None
    """The people whose judgement the class is, joined by |; None where nobody has judged the image."""

    @property
    def is_kept(self) -> bool:
        """The image is part of the set."""
        return self.outcome == "ok" and self.path is not None

    @property
    def is_learned(self) -> bool:
        """The image is there to learn from: kept, and not held back for validation or test."""
        return self.is_kept and self.split in (None, Split.TRAIN)


def strata_of(label: str, present: Iterable[str], absent: Iterable[str]) -> tuple[str, ...]:
    """What a split divides evenly: the one label of an image, or each answer that is known of several."""
    return (*present, *(f"no {name}" for name in absent)) or (label,)


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image file and what it shows."""

    path: Path
    shown: str
    """The path with `/`, relative to the folder that was named."""
    label: str
    split: Split | None = None
    """None where the set is not split."""
    row: ManifestRow | None = None
    """What a manifest says of it."""
    present: tuple[str, ...] = ()
    """In a set of several labels an image: those that it shows, which `label` then joins by `|`."""
    absent: tuple[str, ...] = ()
    """Likewise: labels that it is known not to show. Nothing is known of all others."""
    is_judged: bool = False
    """The label is what a person said of this very image; see `judged_weight` of the settings."""
    group: str | None = None
    """Images with the same one never sit on two sides of a split; None where nothing is known."""

    @property
    def strata(self) -> tuple[str, ...]:
        """What a split divides evenly; see strata_of."""
        return strata_of(self.label, self.present, self.absent)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Labelled images, as a folder of classes, a split folder or a manifest holds them."""

    data: Path
    """What was named."""
    labels: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    """By split, label and path."""
    notes: tuple[str, ...] = ()
    """Sentences on what was taken, for whoever reads the numbers."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that its images lie in; none where it is not split."""
        present = {image.split for image in self.images}
        return tuple(split for split in Split if split in present)

    @property
    def part(self) -> str | None:
        """Its splits as text; None where there are none."""
        return ", ".join(sorted(self.splits)) or None

    @property
    def missing(self) -> tuple[str, ...]:
        """Labels without an image."""
        present = {label for image in self.images for label in image.present or (image.label,)}
        return tuple(label for label in self.labels if label not in present)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One file that is no image, or a broken one."""

    path: Path
    outcome: Outcome
    detail: str | None

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"path": str(self.path), "outcome": str(self.outcome), "detail": self.detail}
