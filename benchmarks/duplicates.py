"""How many planted copies `dedupe` finds, how many other images it groups, and how long the matching takes.

    python -m benchmarks.duplicates FOLDER...
    python -m benchmarks.duplicates --hashes 100000

Of 100 images of each folder, drawn by the seed, it plants copies beside the others: half and one and a half times the
size, JPEG quality 40 and 15, PNG, turned by 90, 180 and 270 degrees, mirrored, and turned, halved and recompressed.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from train.similar.fingerprints import ORIENTATIONS, FingerprintedImage, read_fingerprints
from train.similar.groups import DISTANCE, find_groups
from train.similar.hamming import near_pairs

PLANTED: Final = 100
Edit = Callable[[Image.Image], Image.Image]


def scaled(factor: float) -> Edit:
    """Resized by that factor."""
    return lambda image: image.resize((round(image.width * factor), round(image.height * factor)))


EDITS: Final[dict[str, tuple[Edit, str, int]]] = {
    "half the size": (scaled(0.5), "jpg", 85),
    "1.5 times the size": (scaled(1.5), "jpg", 85),
    "quality 40": (lambda image: image, "jpg", 40),
    "quality 15": (lambda image: image, "jpg", 15),
    "as PNG": (lambda image: image, "png", 0),
    "turned by 90": (lambda image: image.transpose(Image.Transpose.ROTATE_90), "jpg", 85),
    "turned by 180": (lambda image: image.transpose(Image.Transpose.ROTATE_180), "jpg", 85),
    "turned by 270": (lambda image: image.transpose(Image.Transpose.ROTATE_270), "jpg", 85),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "jpg", 85),
    "turned, halved, quality 60": (
        lambda image: scaled(0.5)(image.transpose(Image.Transpose.TRANSVERSE)),
        "jpg",
        60,
    ),
}
"""What is done to a copy, its file type and JPEG quality."""


def plant(paths: Sequence[Path], folder: Path) -> dict[Path, tuple[Path, str]]:
    """Every copy written -> its original and what was done to it."""
    planted = {}
    for number, path in enumerate(paths):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        for at, (name, (edit, suffix, quality)) in enumerate(EDITS.items()):
            copy = folder / f"{number:03d}_{at}.{suffix}"
            edit(image).save(copy, quality=quality)
            planted[copy] = path, name
    return planted


def measure(folder: Path, distance: int, seed: int) -> None:
    """Prints recall of planted pairs, in all and by edit, and the share of all other images that were grouped."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    chosen = random.Random(seed).sample(paths, min(PLANTED, len(paths)))
    with tempfile.TemporaryDirectory() as temporary:
        planted = plant(chosen, Path(temporary))
        start = time.perf_counter()
        results = list(read_fingerprints([*paths, *planted]))
        hashed_s = time.perf_counter() - start
        groups = find_groups([result for result in results if isinstance(result, FingerprintedImage)], distance)
    group_of = {image.path: at for at, group in enumerate(groups) for image in group.members}
    is_found = {copy: copy in group_of and group_of.get(path) == group_of[copy] for copy, (path, _) in planted.items()}
    originals = set(chosen)
    others = [group for group in groups if not any(i.path in planted or i.path in originals for i in group.members)]
    strangers = [i.path for group in groups for i in group.members if i.path not in planted]
    wrong = sum(len(group.members) for group in others) + sum(
        path not in originals and path not in {i.path for group in others for i in group.members} for path in strangers
    )
    print(f"{folder}: {len(paths)} images and {len(planted)} copies of {len(chosen)}, distance {distance}")
    print(f"  recall of planted pairs {sum(is_found.values()) / len(planted):.4f}")
    for name in EDITS:
        found = [is_found[copy] for copy, (_, edit) in planted.items() if edit == name]
        print(f"    {name:28s} {sum(found) / len(found):.2f}")
    rest = len(paths) - len(chosen)
    print(f"  other images grouped {wrong} of {rest} ({wrong / rest:.4f})")
    print(f"  hashed at {len(results) / hashed_s:.0f} images/s")


def time_matching(count: int, distance: int, seed: int) -> None:
    """Prints how long random hashes, every tenth a copy of another with four bits changed, take to match."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, (count, ORIENTATIONS), dtype=np.uint64)
    copies = hashes[: count // 10, rng.integers(ORIENTATIONS)] ^ np.uint64(0x8000_0200_0010_0004)
    hashes[-len(copies) :, 0] = copies
    start = time.perf_counter()
    queries, others = near_pairs(hashes.ravel(), hashes[:, 0].copy(), distance)
    took_s = time.perf_counter() - start
    pairs = int((queries // ORIENTATIONS != others).sum())
    print(f"{count} images in {ORIENTATIONS} orientations, distance {distance}: {pairs} pairs in {took_s:.1f} s")


def main() -> None:
    """Measures what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--hashes", type=int, metavar="N", help="time the matching of N synthetic images")
    parser.add_argument("--distance", type=int, default=DISTANCE)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for folder in options.folders:
        measure(folder, options.distance, options.seed)
    if options.hashes:
        time_matching(options.hashes, options.distance, options.seed)


if __name__ == "__main__":
    main()
