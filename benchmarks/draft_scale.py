"""How much a model's answers depend on the company it runs in, and on what resizes its pictures.

    python -m benchmarks.draft_scale PACKAGE FOLDER...

The largest need of a run decides the scale of a JPEG. Images lie below FOLDER at any depth. Each is decoded for the
model alone, beside a model of 299 px, whole, and for the model alone but resized by Pillow, as where cykooz-resizer
is missing.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np

from eoltag.errors import ImageError
from eoltag.image import decode as decoding
from eoltag.image.decode import decode
from eoltag.model.engines import load_engine
from eoltag.model.outputs.classes import softmax
from eoltag.model.package import read_package, unpack
from eoltag.records import InputSpec

MAX_PIXELS: Final = 95_000_000
LARGER: Final = InputSpec(299, 299, "stretch", "bilinear")
BATCH: Final = 16


def measure(package_path: Path, files: Sequence[Path]) -> None:
    """Prints how often labels agree, and how far pixels and probabilities lie apart."""
    package = read_package(package_path)
    spec = package.card.spec
    alone, beside, whole, by_pillow = [], [], [], []
    for file in files:
        data = file.read_bytes()
        try:
            alone.append(decode(data, [spec], MAX_PIXELS).pixels[0])
            beside.append(decode(data, [spec, LARGER], MAX_PIXELS).pixels[0])
            whole.append(decode(data, [spec], MAX_PIXELS, [None]).pixels[0])
            with patch.object(decoding, "HAS_SIMD", False):
                by_pillow.append(decode(data, [spec], MAX_PIXELS).pixels[0])
        except ImageError:
            continue
    name = package.engines[0]
    packed = unpack(package.pack(name))
    engine = load_engine(name, packed, batch_size=BATCH, threads=1, keras_backend="tensorflow")
    logits = [
        np.concatenate([engine.predict(np.stack(pixels[at : at + BATCH])) for at in range(0, len(pixels), BATCH)])
        for pixels in (alone, beside, whole, by_pillow)
    ]
    others = (beside, whole, by_pillow)
    print(f"{package_path}: {spec.width} px, {len(alone)} images")
    for title, pixels, other in zip(("beside 299 px", "whole picture", "by Pillow"), others, logits[1:], strict=True):
        far = np.array([np.abs(one.astype(int) - two).mean() for one, two in zip(alone, pixels, strict=True)])
        same = float((logits[0].argmax(axis=1) == other.argmax(axis=1)).mean())
        moved = np.abs(softmax(logits[0], 1.0) - softmax(other, 1.0)).max(axis=1)
        print(
            f"  {title}: {float((far > 0).mean()):.1%} of the images differ, by {far.mean():.2f} of 255 on average "
            f"({far.max():.2f} at most); labels agree {same:.2%}; probabilities move {moved.mean():.4f} on average, "
            f"{moved.max():.4f} at most; logits {np.abs(logits[0] - other).max():.3f} at most"
        )


def main() -> None:
    """Measures one package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, metavar="PACKAGE")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    measure(options.package, sorted(path for folder in options.folders for path in folder.rglob("*") if path.is_file()))


if __name__ == "__main__":
    main()
