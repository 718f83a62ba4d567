"""Images whose label is known: all of a set, or those of the splits that were asked for."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from eoltag.errors import DataError
from train.data.several import list_several
from train.evaluate.label_map import LabelMap
from train.images.listing import list_images
from train.records import ImageSet, LabelledImage, Split

HELD_BACK: Final = "validation"
"""As --split: what the package records as held back from its training, in whatever folder."""
EVERYTHING: Final = "all"
_PREFERRED: Final = (Split.TEST, Split.VAL, Split.TRAIN)
"""Without --split the images that are least known to a model."""

SplitChoice = Split | Literal["validation", "all"]


def find_images(
    data: Path,
    labels: Sequence[str],
    choice: SplitChoice | None,
    mapping: LabelMap | None = None,
    *,
    has_several: bool = False,
) -> ImageSet:
    """The images of `data` that are to be scored, with the package's labels in their order, or those of the map.

    choice: a split that `data` has (default: the first of test, val, train that is there); all or validation: every
    image. has_several: labels an image, see list_several.

    Raises DataError for a split that is not there, classes that are no labels, or no images.
    """
    known = mapping.known if mapping else tuple(labels)
    found = list_several(data, known) if has_several else list_images(data, known)
    images = _taken(found, choice)
    said = {label for image in images for label in (*image.present, *image.absent) or (image.label,)}
    strangers = sorted(said - set(known))
    if strangers:
        raise DataError(
            f"{data}: classes that are no labels of the package: {', '.join(strangers)}; its labels: {', '.join(known)}"
        )
    if mapping is not None:
        images = tuple(named for image in images if (named := mapping.image(image)) is not None)
    taken = replace(found, labels=mapping.labels if mapping else tuple(labels), images=images)
    if not taken.images:
        raise DataError(f"{data}: no images")
    notes = list(found.notes)
    if choice is None and len(found.splits) > 1:
        notes.append(f"took the split '{taken.part}' of {found.part}; --split takes another")
    if taken.missing:
        notes.append(f"no images of {', '.join(taken.missing)}: nothing is known of how well they are recognised")
    return replace(taken, notes=tuple(notes))


def _taken(found: ImageSet, choice: SplitChoice | None) -> tuple[LabelledImage, ...]:
    if choice is None:
        choice = next((split for split in _PREFERRED if split in found.splits), None)
    if choice in (None, HELD_BACK, EVERYTHING):
        return found.images
    if choice not in found.splits:
        raise DataError(f"{found.data}: no split '{choice}'; there: {found.part or 'none, it is not split'}")
    return tuple(image for image in found.images if image.split is choice)
