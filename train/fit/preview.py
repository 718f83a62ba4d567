"""Preview of augmentation: a sheet of training images beside changed copies of them."""

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from eoltag.errors import ImageError, OutputError, SettingsError
from eoltag.records import Pixels
from train.data.augment import augment
from train.data.dataset import training_images
from train.images.contact_sheet import INK, PAPER
from train.images.decoding import decode_ahead, decode_file, log_skipped
from train.records import LabelledImage
from train.settings import FitSettings

TILE_PX: Final = 160
GAP_PX: Final = 4
APART_PX: Final = 12
"""Between the image and its copies."""
TEXT_PX: Final = 20
COPIES: Final = 7
MOST_ROWS: Final = 8


def draw_preview(settings: FitSettings, data: Path, target: Path) -> int:
    """One row per label, the image as it is and then changed copies of it; returns how many were drawn.

    Raises SettingsError where the settings change nothing, DataError, OutputError.
    """
    if settings.augmentation == "off":
        raise SettingsError("--preview: augmentation is off; there is nothing to show")
    found = training_images(data, has_several=settings.has_several)
    rows: list[tuple[str, Pixels]] = []
    for label in found.labels[:MOST_ROWS]:
        images = [image for image in found.images if label in (image.present or (image.label,))]
        for image, pixels in decode_ahead(images, lambda image: _pixels(image, settings), None, label, ahead=1):
            if not isinstance(pixels, ImageError):
                rows.append((label, pixels))
                break
            log_skipped(image.path, pixels.outcome, pixels.detail)
    sheet = _sheet(settings, rows)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(target)
    except (OSError, ValueError) as problem:
        raise OutputError(f"{target}: cannot be written ({problem}); wanted a .png or .jpg file") from problem
    return len(rows) * (COPIES + 1)


def _pixels(image: LabelledImage, settings: FitSettings) -> Pixels:
    return decode_file(image.path, [settings.spec]).pixels[0]


def _sheet(settings: FitSettings, rows: list[tuple[str, Pixels]]) -> Image.Image:
    """A line of headings, then a row for each label: its name above the image as it is, and the copies beside it."""
    across_px, down_px = TILE_PX + GAP_PX, TILE_PX + TEXT_PX + GAP_PX
    sheet = Image.new("RGB", ((COPIES + 1) * across_px + APART_PX - GAP_PX, TEXT_PX + len(rows) * down_px), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_PX - 6)
    draw.text((across_px + APART_PX, 2), f"changed copies: augmentation {settings.augmentation}", INK, font)
    draw.text((0, 2), "as it is", INK, font)
    for down, (label, picture) in enumerate(rows):
        y = TEXT_PX + down * down_px
        draw.text((0, y + 2), label, INK, font)
        for across in range(COPIES + 1):
            shown = picture
            if across:
                shown = augment(picture[None], settings.augmentation, (settings.seed, across), np.array([down]))[0]
            tile = Image.fromarray(shown).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
            sheet.paste(tile, (across * across_px + (APART_PX if across else 0), y + TEXT_PX))
    return sheet
