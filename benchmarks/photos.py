"""The images that are served: a folder of photos, or pictures drawn here; and lists of URLs over them."""

import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from benchmarks.server import ROOT, Server

ENDINGS: Final = (".jpg", ".jpeg", ".png", ".gif", ".webp")


def photo_names(folder: Path) -> list[str]:
    """Paths of the images below `folder`, relative to it, in an order drawn by a fixed seed: any beginning of the list
    is a fair sample. Raises SystemExit where there is none."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if not names:
        sys.exit(f"error: {folder}: a folder with images ({', '.join(ENDINGS)}) was wanted")
    random.Random(0).shuffle(names)
    return names


def url_list(names: Sequence[str], server: Server, count: int) -> list[str]:
    """`count` different URLs: the images again and again, each time under another address."""
    return [server.url(name, number) for number, name in enumerate(islice(cycle(names), count))]


def name_of(url: str) -> str:
    """The inverse of url_list, for one URL."""
    return unquote(urlsplit(url).path).removeprefix("/").partition("/")[2]


def drawn_pictures(folder: Path) -> Path:
    """Five kinds of picture, 40 each, drawn once."""
    if not folder.is_dir():
        command = [sys.executable, "-m", "train", "sample-data", str(folder), "--per-class", "40"]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return folder


def model_package(folder: Path) -> Path:
    """benchmarks.models, made once."""
    if not (folder / "card.json").is_file():
        command = [sys.executable, "-m", "benchmarks.models", str(folder)]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return folder
