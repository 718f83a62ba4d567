"""Changed copies of training images, written beside their originals until every class has enough."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from train.cli import log, progress
from train.images.contact_sheet import RED, Tile, draw_sheet
from train.images.parallel import in_chunks
from train.prepare.examine import write_picture
from train.prepare.operations import AugmentSet, augment
from train.prepare.output import SHEET
from train.records import ManifestRow

WORTH_A_PROCESS: Final = 100
SHOWN_ORIGINALS: Final = 8
SHOWN_COPIES: Final = 5

_CHUNK: Final = 16
_SALT: Final = 20_160
"""Keeps these draws apart from others of the same seed."""


@dataclass(frozen=True, slots=True)
class AugmentedCopy:
    """One changed copy to be made."""

    original: Path
    target: Path
    which: AugmentSet
    seed: tuple[int, ...]


def add_copies(
    rows: Sequence[ManifestRow],
    folder: Path,
    per_class: int | None,
    which: AugmentSet,
    seed: int,
    processes: int | None,
) -> list[ManifestRow]:
    """Copies until every class has per_class images to learn from, a contact sheet of some, and a row for each.

    Only images to learn from are copied: validation and test images stay as they are.
    """
    if per_class is None:
        return []
    planned = plan_copies([row for row in rows if row.is_learned], folder, per_class, which, seed)
    copies = [copy for _, copy in planned]
    made = in_chunks(_make_some, copies, chunk=_CHUNK, worth=WORTH_A_PROCESS, processes=processes)
    for _ in progress((one for some in made for one in range(some)), len(copies), "image", "augmenting"):
        pass
    if copies:
        _show(copies, folder / SHEET)
    return [_row_of(row, copy, folder) for row, copy in planned]


def plan_copies(
    rows: Sequence[ManifestRow], folder: Path, per_class: int, which: AugmentSet, seed: int
) -> list[tuple[ManifestRow, AugmentedCopy]]:
    """(original, copy); a class's images are all copied once before any is copied twice, in an order that is drawn.

    An image that stands in several classes, as of several labels, is not copied: a copy would show one of them alone.
    """
    by_class: defaultdict[str, list[ManifestRow]] = defaultdict(list)
    classes: defaultdict[str | None, set[str]] = defaultdict(set)
    for row in rows:
        by_class[row.label].append(row)
        classes[row.sha256].add(row.label)
    planned = []
    for place, (label, members) in enumerate(sorted(by_class.items())):
        alone = [row for row in members if row.sha256 is None or len(classes[row.sha256]) == 1]
        missing = max(0, per_class - len(members))
        if missing and len(alone) < len(members):
            log(f"{label}: {len(members) - len(alone)} images stand in other classes as well and get no changed copies")
        order = np.random.default_rng([seed, _SALT, place]).permutation(len(alone)).tolist()
        for number in range(missing if alone else 0):
            turn, at = divmod(number, len(order))
            row = alone[order[at]]
            path = folder / str(row.path)
            target = path.with_name(f"{path.stem}_a{turn + 1:02d}{path.suffix}")
            planned.append((row, AugmentedCopy(path, target, which, (seed, _SALT, place, order[at], turn))))
    return planned


def make_copy(copy: AugmentedCopy) -> None:
    """Writes one; the same seed gives the same bytes."""
    with Image.open(copy.original) as image:
        picture = augment(image.convert("RGB"), copy.which, np.random.default_rng(copy.seed))
    write_picture(copy.target, np.asarray(picture))


def _make_some(copies: Sequence[AugmentedCopy]) -> int:
    for copy in copies:
        make_copy(copy)
    return len(copies)


def _row_of(row: ManifestRow, copy: AugmentedCopy, folder: Path) -> ManifestRow:
    """Where it came from stays; what was measured is the original's and is left out."""
    return replace(
        row,
        path=copy.target.relative_to(folder).as_posix(),
        sha256=None,
        file_sha256=None,
        perceptual_hash=None,
        width=None,
        height=None,
        color_mode="RGB",
        detail=f"changed copy of {row.path} ({copy.which})",
    )


def _show(copies: Sequence[AugmentedCopy], target: Path) -> None:
    """Originals from all over the set, framed green, each with some of its copies."""
    by_original: dict[Path, list[Tile]] = {}
    for copy in copies:
        row = by_original.setdefault(copy.original, [Tile(copy.original, "original")])
        row.append(Tile(copy.target, copy.which, RED))
    rows = list(by_original.values())
    spread = np.linspace(0, len(rows) - 1, min(SHOWN_ORIGINALS, len(rows))).round().astype(int).tolist()
    draw_sheet([rows[at][: SHOWN_COPIES + 1] for at in spread], target)
