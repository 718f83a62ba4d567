"""Signals at every moment of a small run: exit code, lines on stderr, orphans, leftovers, and that the run goes on.

    python -m benchmarks.chaos.signals [--step 0.2] [--until 15] [--later 20]

Each run tags pictures of a server on this machine, until a signal comes: Ctrl-C and SIGTERM in turns. The last run,
without a signal, must find the rest. The table is empty of faults when its last column is.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_package

IMAGES: Final = 60
CODES: Final = {signal.SIGINT: 130, signal.SIGTERM: 143}
_PATIENCE_S: Final = 60.0
_SETTLE_S: Final = 10.0
"""The JVM of a run that came to its end ends a moment after it."""
_HEADER: Final = "signal      at   took  exit  lines  orphans  leftovers  wrong"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run came to."""

    number: signal.Signals
    at_s: float
    took_s: float
    exit_code: int
    is_done: bool
    lines: list[str]
    orphans: list[str]
    leftovers: list[str]

    def faults(self) -> list[str]:
        """What should not be."""
        found = []
        if self.exit_code != (0 if self.is_done else CODES[self.number]):
            found.append("exit code")
        if len(self.lines) != (0 if self.is_done else 1):
            found.append("lines")
        return found + ["orphans"] * bool(self.orphans) + ["leftovers"] * bool(self.leftovers)

    def row(self) -> str:
        """A row of the table."""
        return (
            f"{self.number.name:8} {self.at_s:5.1f} {self.took_s:6.1f} {self.exit_code:5} {len(self.lines):6} "
            f"{len(self.orphans):8} {len(self.leftovers):10}  {', '.join(self.faults())}"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the runs take place."""

    folder: Path
    options: tuple[str, ...] = ()

    @property
    def temporary(self) -> Path:
        """TMPDIR of the runs, and of nobody else."""
        return self.folder / "tmp"

    @property
    def output(self) -> Path:
        """The output directory."""
        return self.folder / "out"


def prepare(folder: Path, server: Loopback, output: str = "out") -> Place:
    """A bundle of pictures, a model and a task; the server's files must lie in folder/pictures."""
    (folder / "tmp").mkdir()
    write_tiny_package(folder / "model", ("a", "b"), seed=1)
    (folder / "kind.toml").write_text(
        'name = "kind"\nmodels.main.package = "model"\n[[rules]]\nname = "a"\nwhen = "label = \'a\'"\ntag = "a"\n'
    )
    (folder / "job.toml").write_text("[run]\nfirst_wave_images = 20\nwave_s = 1\nfirst_task_images = 10\n")
    urls = [server.url(f"/slow/0.2/{number}.png") for number in range(IMAGES)]
    (folder / "list.txt").write_text("\n".join(urls) + "\n")
    arguments = ("--bundle", "list.txt", "--task", "kind.toml", "--output", output, "--config", "job.toml", "--quiet")
    return Place(folder, (*arguments, "--allow-private-hosts"))


def draw(folder: Path) -> None:
    """Pictures that are all different."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(IMAGES):
        Image.fromarray(generator.integers(0, 255, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")


def start(place: Place) -> "subprocess.Popen[str]":
    """The job, as from a shell that has not switched Ctrl-C off."""
    return subprocess.Popen(
        [str(ROOT / "spark-submit.sh"), "jobs/tag_bundles.py", *place.options],
        cwd=place.folder,
        env={**os.environ, "TMPDIR": str(place.temporary), "CHAOS": str(place.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def interrupt(place: Place, number: signal.Signals, at_s: float) -> Seen:
    """A run that gets a signal after so many seconds, unless it has ended before."""
    job = start(place)
    try:
        out, err = job.communicate(timeout=at_s)
    except subprocess.TimeoutExpired:
        job.send_signal(number)
    sent = time.monotonic()
    try:
        out, err = job.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        job.kill()
        out, err = job.communicate()
    took_s = time.monotonic() - sent
    is_done = job.returncode == 0 and "rows" in out
    code = job.returncode if job.returncode >= 0 else 128 - job.returncode
    orphans = _settled(lambda: orphans_of(place), is_patient=is_done)
    leftovers = _settled(lambda: leftovers_of(place), is_patient=is_done)
    return Seen(number, at_s, took_s, code, is_done, err.splitlines(), orphans, leftovers)


def _settled(look: Callable[[], list[str]], *, is_patient: bool) -> list[str]:
    until = time.monotonic() + (_SETTLE_S if is_patient else 0.5)
    while (found := look()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def orphans_of(place: Place) -> list[str]:
    """Processes that such a run has started and that live."""
    mark, found = f"CHAOS={place.folder}".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80])
        except OSError:
            continue
    return found


def leftovers_of(place: Place) -> list[str]:
    """Temporary files, staging and locks."""
    found = list(place.temporary.iterdir())
    staging = place.output / "_staging"
    found += [staging] * staging.exists() + list(place.output.rglob("*.tmp"))
    return [str(path.relative_to(place.folder)) for path in found]


def main() -> int:
    """Prints the table; exit code 1 where it shows a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=float, default=0.2, metavar="SECONDS")
    parser.add_argument("--until", type=float, default=15.0, metavar="SECONDS")
    parser.add_argument("--later", type=int, default=20, metavar="N", help="moments drawn from 5 s up to the run's end")
    parser.add_argument("--by-java", action="store_true", help="the output as one that only the JVM can reach")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eoltag-chaos-") as name:
        folder = Path(name)
        draw(folder / "pictures")
        with Loopback(folder / "pictures") as server:
            place = prepare(folder, server, f"file:{folder}/out" if options.by_java else "out")
            started = time.monotonic()
            interrupt(place, signal.SIGINT, 600.0)
            whole_s = time.monotonic() - started
            print(f"a run without a signal takes {whole_s:.1f} s\n{_HEADER}", flush=True)
            moments = [options.step * count for count in range(1, int(options.until / options.step) + 1)]
            moments += sorted(random.Random(1).uniform(5.0, whole_s + 1) for _ in range(options.later))
            faults = sum(_try(place, at_s, count) for count, at_s in enumerate(moments))
    print(f"{len(moments)} signals, {faults} with a fault")
    return int(faults > 0)


def _try(place: Place, at_s: float, count: int) -> bool:
    """Every fourth run, and one after all was done, begins with nothing; the others go on where the last one ended."""
    if count % 4 == 0 or (place.output / "report").exists():
        shutil.rmtree(place.output, ignore_errors=True)
    seen = interrupt(place, (signal.SIGINT, signal.SIGTERM)[count % 2], at_s)
    print(seen.row(), flush=True)
    for line in [*seen.lines[1:5], *seen.orphans, *seen.leftovers] if seen.faults() else []:
        print(f"    {line[:160]}", flush=True)
    return bool(seen.faults())


if __name__ == "__main__":
    sys.exit(main())
