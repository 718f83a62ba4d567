"""Many images on one sheet, to be looked at before anything is dropped or learned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from eoltag.errors import DataError, ImageError
from train.images.decoding import decode_ahead, thumbnail

Color = tuple[int, int, int]

TILE_PX: Final = 160
CAPTION_PX: Final = 34
GAP_PX: Final = 8
CAPTION_LENGTH: Final = 26
QUALITY: Final = 85

GREEN: Final[Color] = (20, 130, 60)
RED: Final[Color] = (200, 60, 40)
PAPER: Final[Color] = (255, 255, 255)
INK: Final[Color] = (40, 40, 40)


@dataclass(frozen=True, slots=True)
class Tile:
    """One image, its frame, and a line below its name."""

    path: Path
    note: str
    color: Color = GREEN


def draw_sheet(rows: Sequence[Sequence[Tile]], target: Path) -> None:
    """A JPEG with a row of thumbnails for each row of tiles; an empty frame for a file that has gone.

    Raises DataError where it cannot be written.
    """
    step, height = TILE_PX + GAP_PX, TILE_PX + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (max(map(len, rows)) * step + GAP_PX, len(rows) * height + GAP_PX), PAPER)
    tiles = [(tile, across, down) for down, row in enumerate(rows) for across, tile in enumerate(row)]
    decoded = decode_ahead(tiles, lambda place: thumbnail(place[0].path, TILE_PX), len(tiles), "drawing")
    for (tile, across, down), pixels in decoded:
        picture = None if isinstance(pixels, ImageError) else Image.fromarray(pixels)
        _draw(sheet, GAP_PX + across * step, GAP_PX + down * height, tile, picture)
    try:
        sheet.save(target, "JPEG", quality=QUALITY)
    except OSError as problem:
        raise DataError(f"{target}: cannot be written ({problem.strerror or problem})") from problem


def _draw(sheet: Image.Image, x: int, y: int, tile: Tile, picture: Image.Image | None) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((x - 3, y - 3, x + TILE_PX + 2, y + TILE_PX + 2), outline=tile.color, width=3)
    if picture is not None:
        sheet.paste(picture, (x, y))
    font = ImageFont.load_default(11)
    name = f"{tile.path.parent.name}/{tile.path.name}"
    draw.text((x, y + TILE_PX + 4), name[-CAPTION_LENGTH:], INK, font)
    draw.text((x, y + TILE_PX + 18), tile.note, tile.color, font)
