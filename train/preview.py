"""A sheet of training images beside changed copies of them, to be looked at before a training."""

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from eoltag.decode import decode
from eoltag.errors import ImageError, OutputError, SettingsError
from eoltag.settings import DecodeSettings
from train.augment import augment
from train.files import read_image_file
from train.listing import list_images
from train.settings import FitSettings

TILE_PX: Final = 160
GAP_PX: Final = 4
COPIES: Final = 7
MOST_ROWS: Final = 8


def draw_preview(settings: FitSettings, data: Path, target: Path) -> int:
    """One row per label, the image as it is and then changed copies of it; returns how many were drawn.

    Raises SettingsError where the settings change nothing, DataError, OutputError.
    """
    if settings.augmentation == "off":
        raise SettingsError("--preview: augmentation is off; there is nothing to show")
    listing = list_images(data)
    step = TILE_PX + GAP_PX
    rows = []
    for label in range(min(len(listing.labels), MOST_ROWS)):
        for file in (file for file in listing.files if file.target == label):
            try:
                decoded = decode(
                    read_image_file(listing.folder / file.path), [settings.spec], DecodeSettings().max_pixels
                )
            except ImageError:
                continue
            rows.append(decoded.pixels[0])
            break
    sheet = Image.new("RGB", ((COPIES + 1) * step - GAP_PX, max(1, len(rows)) * step - GAP_PX), "white")
    for down, picture in enumerate(rows):
        for across in range(COPIES + 1):
            shown = picture
            if across:
                shown = augment(picture[None], settings.augmentation, (settings.seed, across), np.array([down]))[0]
            tile = Image.fromarray(shown).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
            sheet.paste(tile, (across * step, down * step))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(target)
    except (OSError, ValueError) as problem:
        raise OutputError(f"{target}: cannot be written ({problem}); wanted a .png or .jpg file") from problem
    return len(rows) * (COPIES + 1)
