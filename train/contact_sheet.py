"""Groups of duplicates as pictures, to be looked at before anything is dropped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from eoltag.decode import decode
from eoltag.errors import DataError, ImageError
from eoltag.records import InputSpec
from eoltag.settings import DecodeSettings
from train.duplicates import Copy, Group
from train.files import read_image_file
from train.fingerprints import Fingerprint

TILE_PX: Final = 160
CAPTION_PX: Final = 34
GAP_PX: Final = 8
ACROSS: Final = 8
"""Images of one group; further ones are counted in the last caption."""
GROUPS_PER_SHEET: Final = 20
MOST_SHEETS: Final = 50
CAPTION_LENGTH: Final = 26

KEPT: Final = (20, 130, 60)
DROPPED: Final = (200, 60, 40)
PAPER: Final = (255, 255, 255)
INK: Final = (40, 40, 40)


def draw_sheets(groups: Sequence[Group], folder: Path) -> list[Path]:
    """contact_sheet_001.jpg, ...: a row per group, the kept image first, framed green. At most MOST_SHEETS of them."""
    paths = []
    for number, start in enumerate(range(0, len(groups), GROUPS_PER_SHEET)[:MOST_SHEETS], 1):
        path = folder / f"contact_sheet_{number:03d}.jpg"
        try:
            _sheet(groups[start : start + GROUPS_PER_SHEET]).save(path, quality=85)
        except OSError as problem:
            raise DataError(f"{path}: cannot be written ({problem.strerror or problem})") from problem
        paths.append(path)
    return paths


def _sheet(groups: Sequence[Group]) -> Image.Image:
    across = min(ACROSS, max(len(group.members) for group in groups))
    step, row = TILE_PX + GAP_PX, TILE_PX + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (across * step + GAP_PX, len(groups) * row + GAP_PX), PAPER)
    for at, group in enumerate(groups):
        top = GAP_PX + at * row
        _tile(sheet, GAP_PX, top, group.kept, "kept", KEPT)
        shown = group.copies[: ACROSS - 1]
        more = len(group.copies) - len(shown)
        for column, copy in enumerate(shown, 1):
            note = _note(copy) + (f" (+{more} more)" if more and column == len(shown) else "")
            _tile(sheet, GAP_PX + column * step, top, copy.image, note, DROPPED)
    return sheet


def _tile(sheet: Image.Image, x: int, y: int, image: Fingerprint, note: str, color: tuple[int, int, int]) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((x - 3, y - 3, x + TILE_PX + 2, y + TILE_PX + 2), outline=color, width=3)
    picture = _thumbnail(image.path)
    if picture is not None:
        sheet.paste(picture, (x, y))
    font = ImageFont.load_default(11)
    name = f"{image.path.parent.name}/{image.path.name}"
    draw.text((x, y + TILE_PX + 4), name[-CAPTION_LENGTH:], INK, font)
    draw.text((x, y + TILE_PX + 18), f"{image.width}x{image.height}, {note}", color, font)


def _thumbnail(path: Path) -> Image.Image | None:
    """None where the file has gone since it was hashed."""
    spec = InputSpec(TILE_PX, TILE_PX, "pad", "box")
    try:
        return Image.fromarray(decode(read_image_file(path), [spec], DecodeSettings().max_pixels).pixels[0])
    except ImageError:
        return None


def _note(copy: Copy) -> str:
    return "same bytes" if copy.distance is None else f"distance {copy.distance}"
