"""What every image's label should be: Keras f32 on images decoded whole, one batch at a time.

python -m benchmarks.reference PACKAGE FOLDER OUT.json
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.arms.command import BATCH, CORES
from benchmarks.arms.runtime import load, predict_pictures
from benchmarks.photos import photo_names
from benchmarks.server import ROOT


def reference_labels(package: Path, folder: Path, cache: Path) -> dict[str, str]:
    """Image name -> label, for the images that can be read; computed once for a package and a folder."""
    card = (package / "card.json").read_text()
    sizes = [(name, (folder / name).stat().st_size) for name in photo_names(folder)]
    digest = hashlib.sha256(json.dumps([card, sizes]).encode()).hexdigest()[:12]
    out = cache / f"reference-{digest}.json"
    if not out.is_file():
        command = [sys.executable, "-m", "benchmarks.reference", str(package), str(folder), str(out)]
        subprocess.run(command, cwd=ROOT, check=True)
    labels: dict[str, str] = json.loads(out.read_text())
    return labels


def main() -> None:
    """Compute and write them."""
    package, folder, out = (Path(argument) for argument in sys.argv[1:])
    card = json.loads((package / "card.json").read_text())
    predict = load(package, "keras", CORES)
    labels: dict[str, str] = {}
    every = photo_names(folder)
    for at in range(0, len(every), BATCH):
        names = every[at : at + BATCH]
        found = predict_pictures(predict, [(folder / name).read_bytes() for name in names], card["input"]["width"])
        labels |= {name: card["labels"][best] for name, best in zip(names, found, strict=True) if best is not None}
    out.write_text(json.dumps(labels))


if __name__ == "__main__":
    main()
