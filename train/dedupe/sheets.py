"""Groups of duplicates as pictures: a row for each, what is kept in front and framed green."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from train.images.contact_sheet import GREEN, RED, Tile, draw_sheet
from train.similar.fingerprints import FingerprintedImage
from train.similar.groups import Duplicate, DuplicateGroup

ACROSS: Final = 8
"""Images of one group; further ones are counted in the last caption."""
GROUPS_PER_SHEET: Final = 20
MOST_SHEETS: Final = 50


def draw_sheets(groups: Sequence[DuplicateGroup], folder: Path) -> list[Path]:
    """contact_sheet_001.jpg, ...: at most MOST_SHEETS of them. Raises DataError."""
    paths = []
    for number, start in enumerate(range(0, len(groups), GROUPS_PER_SHEET)[:MOST_SHEETS], 1):
        path = folder / f"contact_sheet_{number:03d}.jpg"
        draw_sheet([_tiles(group) for group in groups[start : start + GROUPS_PER_SHEET]], path)
        paths.append(path)
    return paths


def _tiles(group: DuplicateGroup) -> list[Tile]:
    shown = group.copies[: ACROSS - 1]
    more = len(group.copies) - len(shown)
    tiles = [_tile(group.kept, "kept")]
    for copy in shown:
        note = _note(copy) + (f" (+{more} more)" if more and copy is shown[-1] else "")
        tiles.append(_tile(copy.image, note, is_kept=False))
    return tiles


def _tile(image: FingerprintedImage, note: str, *, is_kept: bool = True) -> Tile:
    return Tile(image.path, f"{image.width}x{image.height}, {note}", GREEN if is_kept else RED)


def _note(copy: Duplicate) -> str:
    return "same bytes" if copy.distance is None else f"distance {copy.distance}"
