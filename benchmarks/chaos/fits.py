"""Signals in the course of `python -m train fit`: one line, exit code 130 or 143, no process and no file left."""

import shutil
import signal
import sys
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.chaos.place import Place
from benchmarks.chaos.signals import interrupt, note
from benchmarks.chaos.told import Told
from tests.support.paths import ROOT

_FIRST_S: Final = 0.5
_LAST_S: Final = 15.0
_CONFIG: Final = 'name = "kind"\nimage_size_px = 32\nfirst_filters = 4\nepochs = 400\nbatch_size = 8\n'
_A_CLASS: Final = 20
_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)


def told(place: Place, step_s: float) -> Told:
    """Ctrl-C and SIGTERM in turns, every `step_s` over the first 15 s; every third time a second one follows."""
    result, at_s = Told("signals: fit"), _FIRST_S
    data, config, out = place.folder / "classes", place.folder / "fit.toml", place.folder / "fitted"
    draw_classes(data)
    config.write_text(_CONFIG)
    command = [sys.executable, "-m", "train", "fit", str(config), "--data", str(data), "--out", str(out)]
    while at_s < _LAST_S:
        is_twice = result.starts % 3 == 2
        number = _NUMBERS[result.starts % 2]
        seen = interrupt(place, command, number, at_s, is_twice=is_twice, is_talking=True, PYTHONPATH=str(ROOT))
        note(seen, result)
        for path in out.glob("*/.*"):
            result.wrongly(f"{seen.number.name} at {at_s:.1f} s left {path.relative_to(out)}")
        shutil.rmtree(out, ignore_errors=True)
        at_s += step_s
    return result


def draw_classes(data: Path) -> None:
    """Two labels of pictures that show nothing."""
    generator = np.random.default_rng(2)
    for label in ("a", "b"):
        (data / label).mkdir(parents=True)
        for number in range(_A_CLASS):
            Image.fromarray(generator.integers(0, 255, (32, 32, 3), np.uint8)).save(data / label / f"{number}.png")
