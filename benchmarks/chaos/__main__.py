"""Every kind of fault in one command and one table, each held against an undisturbed run; exit code 1 for any fault.

    make chaos [ARGS="--kinds away storm"] [ARGS=--full]

Kills at random moments and before changes of the output directory, signals, two starts at once, a host that is away, a
storm of refusals, pictures that kill, readers, a full disk, an output that is deleted. Half an hour on two idle cores;
--full takes hours: 54 kills over ten runs of 5,000 images, before each change of the output, a signal every 0.2 s,
and a host that is away for five minutes.
"""

import random
import shutil
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.chaos import disks, fits, kills, pictures, readers, servers, signals, starts
from benchmarks.chaos.place import Place, draw, kill, prepare
from benchmarks.chaos.told import HEADER, Told
from tests.support.loopback import Loopback


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done."""

    images: int
    stories: tuple[str, ...]
    """Of kills, each with its share of them."""
    kills: int
    point_step: int
    signal_step_s: float
    later_signals: int
    away_s: float
    storm_s: float
    starts: int
    decisions: int


USUAL: Final = Scale(1_000, kills.STORIES, 30, 8, 1.5, 4, 30.0, 20.0, 2, 2)
FULL: Final = Scale(5_000, (*["fetching"] * 4, "reuse", "compaction"), 54, 1, 0.2, 20, 300.0, 60.0, 10, 20)


_MINUTES: Final = 30


@dataclass(frozen=True, slots=True)
class World:
    """What every kind needs."""

    place: Place
    server: Loopback
    scale: Scale
    requests_per_s: float
    seed: int


Kind = Callable[[World], Iterator[Told]]


def _kills(world: World) -> Iterator[Told]:
    scale = world.scale
    for number, story in enumerate(scale.stories):
        share = scale.kills // len(scale.stories)
        yield kills.told(world.place, story, share, world.seed + number, world.server)


def _points(world: World) -> Iterator[Told]:
    yield kills.points(world.place, world.scale.point_step, 1 + world.seed % world.scale.point_step)


def _signals(world: World) -> Iterator[Told]:
    yield from signals.told(world.place, world.server, world.scale.signal_step_s, world.scale.later_signals, world.seed)


def _fits(world: World) -> Iterator[Told]:
    yield fits.told(world.place, world.scale.signal_step_s)


def _starts(world: World) -> Iterator[Told]:
    yield starts.together(world.place, world.server, world.scale.starts)


def _away(world: World) -> Iterator[Told]:
    yield servers.away(world.place, world.server, world.scale.images, world.scale.away_s)


def _storm(world: World) -> Iterator[Told]:
    yield servers.storm(world.place, world.server, world.scale.images, world.scale.storm_s, 0.7)


def _killers(world: World) -> Iterator[Told]:
    yield pictures.killers(world.place, world.server, world.requests_per_s)


def _readers(world: World) -> Iterator[Told]:
    yield readers.looping(world.place, world.scale.decisions)


def _disks(world: World) -> Iterator[Told]:
    yield disks.full(world.place)


def _deleted(world: World) -> Iterator[Told]:
    yield disks.deleted(world.place)


KINDS: Final[dict[str, Kind]] = {
    "starts": _starts,
    "away": _away,
    "storm": _storm,
    "killers": _killers,
    "readers": _readers,
    "disk": _disks,
    "deleted": _deleted,
    "kills": _kills,
    "points": _points,
    "signals": _signals,
    "fits": _fits,
}


def run(world: World, kinds: list[str], until: float = float("inf")) -> Iterator[Told]:
    """Each kind in turn, and a line on stderr as it ends. until: by time.monotonic(); what has not begun is skipped."""
    for name in kinds:
        began = time.monotonic()
        for told in _guarded(name, world, until):
            told.seconds, began = time.monotonic() - began, time.monotonic()
            print(told.lines(), file=sys.stderr, flush=True)
            yield told


def _guarded(name: str, world: World, until: float) -> Iterator[Told]:
    """What a kind tells; one that breaks is a fault, and the others go on."""
    if time.monotonic() > until:
        yield Told(name, skipped="out of time; --minutes gives it more")
        return
    telling = KINDS[name](world)
    while True:
        try:
            told = next(telling, None)
        except Exception as problem:
            told = Told(name)
            told.wrongly(f"it broke off: {problem!r}")
        if told is None:
            return
        yield told


def scale_of(options: Namespace) -> Scale:
    """The usual or the full scale, with what the command line says otherwise."""
    base = FULL if options.full else USUAL
    names = base.__dataclass_fields__
    given = {name: getattr(options, name) for name in names if getattr(options, name, None) is not None}
    return Scale(**{**{name: getattr(base, name) for name in names}, **given})


def parser() -> ArgumentParser:
    """The options."""
    made = ArgumentParser(
        prog="python -m benchmarks.chaos", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    made.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), metavar="KIND")
    made.add_argument("--full", action="store_true", help="at the scale at which nothing may be lost")
    made.add_argument("--images", type=int, metavar="N", help="default 1,000; --full 5,000")
    made.add_argument("--kills", type=int, metavar="N", help="at random moments, over all stories: 30; 54")
    made.add_argument("--point-step", type=int, metavar="N", help="kill before each Nth change of the output: 8; 1")
    made.add_argument("--signal-step", type=float, dest="signal_step_s", metavar="SECONDS", help="1.5; 0.2")
    made.add_argument("--later-signals", type=int, metavar="N", help="at random moments of the whole run: 4; 20")
    made.add_argument("--away", type=float, dest="away_s", metavar="SECONDS", help="30; 300")
    made.add_argument("--minutes", type=float, metavar="M", help="kinds that have not begun by then are skipped: 30; -")
    made.add_argument("--requests-per-s", type=float, default=150.0, metavar="R", help="what the server allows")
    made.add_argument("--seed", type=int, default=1, metavar="S", help="of the moments (default 1)")
    return made


def main() -> int:
    """Prints the table, also of a part of the kinds where it is interrupted; exit code 1 where it shows a fault."""
    options = parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also then everything is ended and the table is shown
    scale, folder = scale_of(options), Path(tempfile.mkdtemp(prefix="eoltag-chaos-"))
    began, found = time.monotonic(), list[Told]()
    minutes = options.minutes or (0 if options.full else _MINUTES)
    try:
        draw(folder / "pictures", scale.images)
        with Loopback(folder / "pictures") as server:
            place = prepare(folder, server, scale.images, options.requests_per_s)
            world = World(place, server, scale, options.requests_per_s, options.seed)
            for told in run(world, options.kinds, began + 60 * minutes if minutes else float("inf")):
                found.append(told)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        kill(Place(folder), "group", random.Random(0))
        shutil.rmtree(folder, ignore_errors=True)
    faults = sum(told.faults for told in found)
    print("\n".join([HEADER, *(told.lines() for told in found)]))
    print(f"{sum(told.blows for told in found)} blows, {faults} faults, {time.monotonic() - began:,.0f} s")
    return int(faults > 0 or not found)


if __name__ == "__main__":
    sys.exit(main())
