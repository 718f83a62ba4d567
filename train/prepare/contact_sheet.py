"""Many images on one sheet, to see at a glance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

TILE_PX: Final = 128
_GAP_PX: Final = 4
_QUALITY: Final = 90


def draw_sheet(rows: Sequence[Sequence[Path]], target: Path) -> None:
    """A JPEG with a row of thumbnails for each row of image files."""
    step = TILE_PX + _GAP_PX
    sheet = Image.new("RGB", (max(map(len, rows)) * step - _GAP_PX, len(rows) * step - _GAP_PX), "white")
    for row, paths in enumerate(rows):
        for column, path in enumerate(paths):
            with Image.open(path) as image:
                tile = image.convert("RGB")
            tile.thumbnail((TILE_PX, TILE_PX))
            sheet.paste(tile, (column * step, row * step))
    sheet.save(target, "JPEG", quality=_QUALITY)
