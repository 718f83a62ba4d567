"""CPU time of the cartoonization on whole and on bounded pictures, and how far their photo / non-photo answers agree.

    python -m benchmarks.cartoonizing FOLDER... [--side 512] [--limit 100]

Images lie below FOLDER at any depth. For each of EOL's limits on mnorm_pp (2 and 15) it prints how often the bounded
picture falls on the same side, with the same limit and with the limit at which most do, which is its calibrated one.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from eoltag.errors import ImageError
from eoltag.image.cartoon import cartoonization
from eoltag.image.decode import decode

LIMITS: Final = (2.0, 15.0)
MAX_PIXELS: Final = 95_000_000


def measure(files: Sequence[Path], side_px: int) -> None:
    """Prints all figures."""
    whole: list[float] = []
    bounded: list[float] = []
    pixels: list[int] = []
    seconds = {"decode whole": 0.0, "whole": 0.0, "decode bounded": 0.0, "bounded": 0.0}
    for file in files:
        data = file.read_bytes()
        try:
            for name, side, values in (("whole", None, whole), ("bounded", side_px, bounded)):
                started = time.process_time()
                (picture,) = decode(data, [], MAX_PIXELS, [side]).pictures
                decoded = time.process_time()
                values.append(cartoonization(picture).mnorm_pp)
                seconds[f"decode {name}"] += decoded - started
                seconds[name] += time.process_time() - decoded
                if side is None:
                    pixels.append(picture.shape[0] * picture.shape[1])
        except ImageError:
            continue
    count = len(whole)
    print(f"{count} images, {np.mean(pixels) / 1e6:.2f} megapixels on average")
    for name, taken in seconds.items():
        print(f"  {name:<15} {taken / count * 1000:7.1f} CPU-ms an image")
    for limit in LIMITS:
        _agreement(np.array(whole), np.array(bounded), limit)


def _agreement(whole: np.ndarray, bounded: np.ndarray, limit: float) -> None:
    truth = whole <= limit
    candidates = np.round(np.arange(0.05, 3 * limit, 0.05), 2)
    agreed = [float(((bounded <= candidate) == truth).mean()) for candidate in candidates]
    best = max(agreed)
    among = candidates[np.flatnonzero(np.array(agreed) == best)]
    same = float(((bounded <= limit) == truth).mean())
    span = f"{among[0]} to {among[-1]}"
    print(f"  limit {limit:g}: {truth.mean():.1%} below; the same limit agrees {same:.1%}, {span} {best:.1%}")


def main() -> None:
    """Measures every folder by itself, then all together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--limit", type=int, default=100, help="images of each folder")
    options = parser.parse_args()
    everything = []
    for folder in options.folders:
        files = sorted(path for path in folder.rglob("*") if path.is_file())[: options.limit]
        print(f"{folder}:", end=" ")
        measure(files, options.side)
        everything += files
    if len(options.folders) > 1:
        print("together:", end=" ")
        measure(everything, options.side)


if __name__ == "__main__":
    main()
