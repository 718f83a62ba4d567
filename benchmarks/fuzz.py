"""Mutated pictures and bombs against the decoder, in a process with 1 GB: each is a picture or an outcome, soon.

    make fuzz ARGS="--mutations 10000"

Small pictures in six formats are mutated by a seeded generator: bits are flipped, bytes replaced, cut out, doubled and
cut off, numbers in headers set to their extremes. Whatever else than an outcome comes out of `decode`, or takes longer
than 5 s, is a fault; the table names its seed, and exit code 1 says that there was one.
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from eoltag.errors import ImageError
from eoltag.image.decode import decode
from eoltag.records import InputSpec
from tests.support.bombs import BOMBS

FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")
MEMORY: Final = 1 << 30
MOST_S: Final = 5.0
MAX_PIXELS: Final = 50_000_000
_SPEC: Final = InputSpec(64, 64, "stretch", "bilinear")
_EXTREMES: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_HEADER: Final = 128
"""Bytes at the beginning, in which numbers decide more than elsewhere."""

Change = Callable[[bytearray, random.Random], None]


@dataclass(slots=True)
class Seen:
    """What became of the mutations of one format."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)


def seeds() -> dict[str, list[bytes]]:
    """Small pictures by format, in several modes each."""
    noise = np.random.default_rng(3).integers(0, 256, (6, 9, 3), np.uint8)
    picture = Image.fromarray(noise).resize((96, 64), Image.Resampling.BICUBIC)
    clear = picture.convert("RGBA")
    clear.putalpha(picture.convert("L"))
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    made: dict[str, list[tuple[Image.Image, dict[str, Any]]]] = {
        "JPEG": [
            (picture, {}),
            (picture, {"progressive": True}),
            (picture.convert("CMYK"), {}),
            (picture.convert("L"), {}),
        ],
        "PNG": [(picture, {}), (clear, {}), (picture.convert("P"), {}), (deep, {})],
        "GIF": [(picture.convert("P"), {})],
        "WEBP": [(picture, {}), (clear, {"lossless": True})],
        "TIFF": [(picture, {}), (picture, {"compression": "tiff_lzw"}), (clear, {}), (deep, {})],
        "BMP": [(picture, {}), (picture.convert("P"), {})],
    }
    return {name: [_file(image, name, **options) for image, options in pairs] for name, pairs in made.items()}


def _file(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def mutated(data: bytes, seed: int) -> bytes:
    """The file with one to eight changes; the same for one seed."""
    draw, changed = random.Random(seed), bytearray(data)
    for _ in range(draw.randint(1, 8)):
        if changed:
            draw.choice(_CHANGES)(changed, draw)
    return bytes(changed)


def _flip(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def _replace(data: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(data))
    data[start : start + draw.randint(1, 16)] = draw.randbytes(draw.randint(1, 16))


def _cut_out(data: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(data))
    del data[start : start + draw.randint(1, max(1, len(data) // 4))]


def _double(data: bytearray, draw: random.Random) -> None:
    start = draw.randrange(len(data))
    part = data[start : start + draw.randint(1, 64)]
    data[start:start] = part * draw.randint(1, 20)


def _cut_off(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def _set_number(data: bytearray, draw: random.Random) -> None:
    size, order = draw.choice((1, 2, 4)), draw.choice(("little", "big"))
    start = draw.randrange(min(len(data), _HEADER))
    number = draw.choice(_EXTREMES) & ((1 << 8 * size) - 1)
    data[start : start + size] = number.to_bytes(size, "little" if order == "little" else "big")


_CHANGES: Final[tuple[Change, ...]] = (_flip, _replace, _cut_out, _double, _cut_off, _set_number, _set_number)


def try_one(data: bytes, name: str, seen: Seen) -> None:
    """Decode as the job does, and note what came."""
    began = time.monotonic()
    try:
        decode(data, [_SPEC], MAX_PIXELS, [256], 64)
        outcome = "ok"
    except ImageError as problem:
        outcome = str(problem.outcome)
    except BaseException as problem:  # that nothing else comes is what is looked at here
        outcome = "FAULT"
        seen.faults.append(f"{name}: {problem!r}"[:200])
    took_s = time.monotonic() - began
    if took_s > MOST_S:
        seen.faults.append(f"{name}: took {took_s:.1f} s")
    seen.outcomes[outcome] += 1
    seen.slowest_s = max(seen.slowest_s, took_s)


def fuzz(mutations: int, first_seed: int) -> dict[str, Seen]:
    """Mutations of every format in turns, then the bombs."""
    files = seeds()
    found = {name: Seen() for name in (*FORMATS, "bombs")}
    for seed in range(first_seed, first_seed + mutations):
        name = FORMATS[seed % len(FORMATS)]
        source = files[name][seed // len(FORMATS) % len(files[name])]
        try_one(mutated(source, seed), f"{name} seed {seed}", found[name])
    for name, make in BOMBS.items():
        try_one(make(), name, found["bombs"])
    return found


def main() -> int:
    """Prints the table; exit code 1 where it shows a fault."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=10_000, metavar="N", help="default 10,000")
    parser.add_argument("--first-seed", type=int, default=0, metavar="S", help="default 0")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found = fuzz(options.mutations, options.first_seed)
    print(f"{'format':<8} {'tried':>7} {'slowest':>9}  outcomes")
    for name, seen in found.items():
        outcomes = ", ".join(f"{outcome} {count:,}" for outcome, count in seen.outcomes.most_common())
        print(f"{name:<8} {seen.outcomes.total():>7,} {seen.slowest_s:>7.2f} s  {outcomes}")
        for fault in seen.faults[:10]:
            print(f"    {fault}")
    return int(any(seen.faults for seen in found.values()))


if __name__ == "__main__":
    sys.exit(main())
