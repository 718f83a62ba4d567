"""Changed copies of a few images on one sheet, to be looked at before a set is made. Nothing else stays."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import DataError
from train.images.contact_sheet import GREEN, RED, Tile, draw_sheet
from train.prepare.assemble import Plan, look_at_all
from train.prepare.augmenting import SHOWN_COPIES, SHOWN_ORIGINALS, AugmentedCopy, make_copy
from train.prepare.download import Downloads
from train.prepare.gather import Examined
from train.prepare.placing import place_all
from train.prepare.sources.candidate import Offer, check_labels

_SALT: Final = 8_128
"""Keeps these draws apart from others of the same seed."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a sheet shows."""

    sheet: Path
    originals: int
    copies: int

    def document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"preview": str(self.sheet), "originals": self.originals, "copies": self.copies}

    def text(self) -> str:
        """For a person."""
        return f"{self.sheet}: {self.originals} images, framed green, and {self.copies} changed copies of them"


def draw_preview(offer: Offer, plan: Plan, downloads: Downloads | None, work: Path, target: Path) -> Preview:
    """What the sheet at `target` shows: originals of all classes, drawn by the seed, each with some changed copies.

    work: an empty folder. Raises DataError where no image can be used or the sheet cannot be written.
    """
    check_labels({candidate.label for candidate in offer.candidates})
    strata = Counter(candidate.stratum for candidate in offer.candidates)
    few = replace(plan, cap=-(-SHOWN_ORIGINALS // max(1, len(strata))))
    examined = _spread([one for one in look_at_all(replace(offer, caps={}), few, downloads, work) if one.is_usable])
    placed = place_all(examined, work, shares=None, seed=plan.seed, near_bits=0)
    rows = [_row(work / str(one.path), number, plan) for number, one in enumerate(placed)]
    if not target.parent.is_dir():
        raise DataError(f"--preview {target}: wanted a file in a folder that is there")
    draw_sheet(rows, target)
    return Preview(target, len(rows), sum(len(row) - 1 for row in rows))


def _spread(usable: list[Examined]) -> list[Examined]:
    """As many as are shown, from all classes."""
    places = np.linspace(0, len(usable) - 1, min(SHOWN_ORIGINALS, len(usable))).round().astype(int).tolist()
    return [usable[at] for at in places]


def _row(original: Path, number: int, plan: Plan) -> list[Tile]:
    row = [Tile(original, "original", GREEN)]
    for turn in range(SHOWN_COPIES):
        copy = original.with_name(f"{original.stem}_a{turn + 1:02d}{original.suffix}")
        make_copy(AugmentedCopy(original, copy, plan.augment_set, (plan.seed, _SALT, number, turn)))
        row.append(Tile(copy, plan.augment_set, RED))
    return row
