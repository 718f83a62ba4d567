"""A licence-clean image set of five kinds of picture that EOL holds, drawn by the code in this folder.

Every image is drawn from (seed, class, number) alone, so the same seed gives the same bytes, and a smaller set is a
prefix of a larger one.
"""

import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from eoltag.errors import DataError
from train.cli import progress
from train.images.parallel import in_chunks
from train.samples import map, paper, photo, phylogeny
from train.samples.canvas import Rng

DRAWINGS: Final[dict[str, Callable[[Rng, int, int], Image.Image]]] = {
    "herbarium_sheet": paper.herbarium_sheet,
    "illustration": paper.illustration,
    "map": map.draw,
    "photo": photo.draw,
    "phylogeny": phylogeny.draw,
}
"""Label -> drawing of that width and height, RGB; then how often its files are upright, PNG and grey."""
PORTRAIT: Final = {"herbarium_sheet": 0.92, "illustration": 0.6, "map": 0.25, "phylogeny": 0.55, "photo": 0.3}
PNG: Final = {"herbarium_sheet": 0.04, "illustration": 0.12, "map": 0.3, "phylogeny": 0.35, "photo": 0.04}
GREY: Final = {"herbarium_sheet": 0.05, "illustration": 0.15, "map": 0.12, "phylogeny": 0.08, "photo": 0.1}

WORTH_A_PROCESS: Final = 30  # images that take about as long to draw as a further process takes to start


def file_name(label: str, index: int, seed: int) -> str:
    """Name of image `index` (1, 2, ...) of a class."""
    return f"{label}_{index:04d}.{'png' if _start(label, index, seed)[1] else 'jpg'}"


def draw_file(label: str, index: int, seed: int, max_side_px: int = 1200) -> bytes:
    """Content of image `index` (1, 2, ...) of a class: a JPEG or PNG file. Small pictures are as frequent as large."""
    rng, is_png = _start(label, index, seed)
    long = round(max_side_px * float(np.exp(rng.uniform(np.log(0.25), 0))))
    short = max(round(0.2 * max_side_px), round(long * rng.uniform(0.62, 0.95)))
    is_grey, is_portrait = rng.random(2) < (GREY[label], PORTRAIT[label])
    image = DRAWINGS[label](rng, *((short, long) if is_portrait else (long, short)))
    buffer = BytesIO()
    image.convert("L" if is_grey else "RGB").save(
        buffer, "PNG" if is_png else "JPEG", quality=int(rng.integers(55, 96))
    )
    return buffer.getvalue()


def _start(label: str, index: int, seed: int) -> tuple[Rng, bool]:
    """The image's own random numbers, and whether it is a PNG."""
    rng = np.random.default_rng([seed, zlib.crc32(label.encode()), index])
    return rng, bool(rng.random() < PNG[label])


def write_samples(out: Path, per_class: int, seed: int, max_side_px: int) -> dict[str, Any]:
    """Draw `per_class` images of every class into OUT/<class>/, on all cores; returns the summary. Raises DataError."""
    for option, value, low, high in (("--per-class", per_class, 1, 9999), ("--max-side", max_side_px, 64, 4096)):
        if not low <= value <= high:
            raise DataError(f"{option}: wanted {low} to {high}. Received: {value}")
    if seed < 0:
        raise DataError(f"--seed: wanted 0 or more. Received: {seed}")
    images = list(product(DRAWINGS, range(1, per_class + 1), [seed], [max_side_px]))
    paths = [out / label / file_name(label, index, seed) for label, index, *_ in images]
    _prepare(out, paths)
    drawn = progress(in_chunks(_draw, images, chunk=1, worth=WORTH_A_PROCESS), len(images), "image", "drawing")
    total = sum(path.write_bytes(data) for path, data in zip(paths, drawn, strict=True))
    return {"out": str(out), "seed": seed, "images": dict.fromkeys(DRAWINGS, per_class), "bytes": total}


def _prepare(out: Path, paths: list[Path]) -> None:
    """Make the folders. Files that this set does not have would end up as training data: refused."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: wanted a folder, found a file")
    strangers = sorted({file for file in out.rglob("*") if file.is_file()} - set(paths))
    if strangers:
        raise DataError(f"{out}: holds other files already, such as {strangers[0]}; wanted a new or empty folder")
    try:
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DataError(f"{out}: cannot be made ({problem.strerror})") from problem


def _draw(images: Sequence[tuple[str, int, int, int]]) -> bytes:
    return draw_file(*images[0])
