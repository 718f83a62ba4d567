"""Kills at random moments of runs, of reuse and of compaction: what is there afterwards equals an undisturbed run.

    make chaos ARGS="--kills 50 --images 1000"

A story is some commands, one after the other, over one output directory: tag; a second and a third task from stored
features and pictures; compact. Each command is started again and again, and its process group, its JVM or one of its
Python processes is killed (SIGKILL) at a random moment, until the kills of the story are used up; then it may end. The
same story without kills gives what is right: answers by URL, scores to the bit, tags, TSV files to the byte.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_based_package

_PATIENCE_S: Final = 120.0
"""For a run to end; one that takes longer hangs."""
_SETTLE_S: Final = 15.0
"""For what a killed process has started to end by itself."""
_TARGETS: Final = ("group", "java", "python")
_TASKS: Final = {"one": ("one", 1, 0), "two": ("two", 2, 0), "other": ("other", 3, 1)}
"""Task -> package, seed of its head, seed of its base."""
_KEPT: Final = "[reuse]\nfeatures = true\npixels = 64\n"
_STORIES: Final[dict[str, tuple[str, tuple[tuple[str, ...], ...]]]] = {
    "fetching": ("", (("tag", "one"),)),
    "reuse": (_KEPT, (("tag", "one"), ("tag", "two"), ("tag", "other"))),
    "compaction": (_KEPT, (("tag", "one"), ("tag", "one", "two"), ("compact",))),
}
"""Story -> settings, and its commands."""
_HEADER: Final = (
    "story        kills  starts  hangs  orphans  leftovers  lost  doubled  different  fetched again  seconds"
)


@dataclass(slots=True)
class Told:
    """What became of one story."""

    story: str
    kills: int = 0
    starts: int = 0
    hangs: int = 0
    orphans: int = 0
    leftovers: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0
    fetched_again: int = 0
    seconds: float = 0.0
    details: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """What should all be 0."""
        return self.hangs + self.orphans + self.leftovers + self.lost + self.doubled + self.different

    def row(self) -> str:
        """A row of the table."""
        return (
            f"{self.story:<12} {self.kills:5} {self.starts:7} {self.hangs:6} {self.orphans:8} {self.leftovers:10} "
            f"{self.lost:5} {self.doubled:8} {self.different:10} {self.fetched_again:14} {self.seconds:8.0f}"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where stories take place: lists, tasks, packages, and outputs by name."""

    folder: Path

    def output(self, name: str) -> Path:
        """An output directory."""
        return self.folder / f"out-{name}"

    def command(self, story: str, output: str, words: tuple[str, ...]) -> list[str]:
        """A command of a story as a shell gives it."""
        head = [str(ROOT / "spark-submit.sh"), "--master", "local[2,4]"]
        if words[0] == "compact":
            return [*head, "jobs/compact_tables.py", "--output", str(self.output(output)), "--rows-per-file", "100000"]
        tasks = [str(self.folder / f"{name}.toml") for name in words[1:]]
        settings = str(self.folder / f"{story}.toml")
        given = ["--bundle", str(self.folder / "list.txt"), "--task", *tasks, "--output", str(self.output(output))]
        return [*head, "jobs/tag_bundles.py", *given, "--config", settings, "--quiet", "--allow-private-hosts"]


def prepare(folder: Path, server: Loopback, images: int, requests_per_s: float) -> Place:
    """Lists, packages, tasks and settings; the server's files must lie in folder/pictures."""
    (folder / "tmp").mkdir()
    for name, (package, seed, base) in _TASKS.items():
        write_tiny_based_package(folder / package, ("a", "b", "c"), seed, base)
        rule = '[[rules]]\nname = "any"\nwhen = "confidence >= 0"\ntag_sql = "label"\n'
        (folder / f"{name}.toml").write_text(f'name = "{name}"\nmodels.main.package = "{package}"\n{rule}')
    waves = "first_wave_images = 200\nwave_s = 2\nfirst_task_images = 50"
    for story, (settings, _) in _STORIES.items():
        fetch = f"fetch.requests_per_s = {requests_per_s}\nfetch.hosts = {{}}\n"
        (folder / f"{story}.toml").write_text(f"{fetch}[run]\n{waves}\n{settings}")
    urls = [server.url(f"/files/{number}.png") for number in range(images)]
    (folder / "list.txt").write_text("\n".join(urls) + "\n")
    return Place(folder)


def draw(folder: Path, images: int) -> None:
    """Pictures that are all different."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(images):
        Image.fromarray(generator.integers(0, 255, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")


def start(place: Place, command: list[str]) -> "subprocess.Popen[bytes]":
    """A command in a process group of its own, whose processes bear a mark."""
    return subprocess.Popen(
        command,
        cwd=place.folder,
        env={**os.environ, "TMPDIR": str(place.folder / "tmp"), "CHAOS": str(place.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def marked(place: Place) -> dict[int, str]:
    """Running processes that a command has started: number -> command line."""
    mark, found = f"CHAOS={place.folder}".encode(), {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def kill(place: Place, target: str, draw_from: random.Random) -> int:
    """SIGKILL for all processes, for the JVM, or for some Python process of the executor; how many there were."""
    found = marked(place)
    chosen = list(found)
    if target == "java":
        chosen = [number for number, line in found.items() if "/java " in line.split(" -")[0] + " "]
    elif target == "python":
        workers = [number for number, line in found.items() if "daemon" in line]
        chosen = [draw_from.choice(workers)] if workers else []
    hit = 0
    for number in chosen:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
            hit += 1
    return hit


def told(place: Place, story: str, kills: int, seed: int, server: Loopback) -> Told:
    """Play a story with kills, and hold its end against the undisturbed one."""
    draw_from, result, began = random.Random(seed), Told(story), time.monotonic()
    commands = _STORIES[story][1]
    asked = Counter(server.requests)
    for number, words in enumerate(commands):
        command = place.command(story, f"{story}-killed", words)
        last = number == len(commands) - 1
        until = kills if last else result.kills + kills // len(commands)
        while result.kills < until and not _killed(place, command, draw_from, result):
            pass
        _ended(place, command, result)
    requests = Counter(server.requests) - asked
    result.fetched_again = sum(count - 1 for count in requests.values())
    _compare(place, story, result)
    result.seconds = time.monotonic() - began
    return result


def _killed(place: Place, command: list[str], draw_from: random.Random, result: Told) -> bool:
    """Start a command and kill it, or some process of it, at a random moment; True when it was done all the same."""
    result.starts += 1
    job, target = start(place, command), draw_from.choice(_TARGETS)
    try:
        job.wait(draw_from.uniform(1.0, 14.0))
    except subprocess.TimeoutExpired:
        hit = kill(place, target, draw_from)
        result.kills += bool(hit)
        if not hit:  # none of its kind has started yet
            kill(place, "group", draw_from)
            result.kills += 1
        try:
            job.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            result.hangs += 1
            result.details.append(f"{' '.join(command[3:6])}: hangs after SIGKILL of {target}")
            kill(place, "group", draw_from)
            job.wait()
    _settle(place, result)
    return job.returncode == 0


def _settle(place: Place, result: Told) -> None:
    """Wait for what a process has started to end by itself; what does not is an orphan."""
    until = time.monotonic() + _SETTLE_S
    while (left := marked(place)) and time.monotonic() < until:
        time.sleep(0.05)
    result.orphans += len(left)
    result.details += [f"orphan: {line[:150]}" for line in left.values()]
    kill(place, "group", random.Random(0))


def _ended(place: Place, command: list[str], result: Told) -> None:
    """Let a command come to its end."""
    result.starts += 1
    job = start(place, command)
    try:
        job.wait(4 * _PATIENCE_S)
    except subprocess.TimeoutExpired:
        result.hangs += 1
        kill(place, "group", random.Random(0))
        job.wait()
    _settle(place, result)
    if job.returncode:
        result.different += 1
        result.details.append(f"exit code {job.returncode} of the last run")


def _compare(place: Place, story: str, result: Told) -> None:
    """Rows, tags and files of both ends, and what a killed run has left."""
    mine, right = place.output(f"{story}-killed"), place.output(story)
    for name in ("images", "scores", "tags"):
        found, wanted = _rows(mine, name), _rows(right, name)
        result.lost += sum((wanted - found).values())
        result.doubled += sum(count - 1 for count in found.values())
        result.different += sum((found - wanted).values()) if set(found) - set(wanted) else 0
    for path in sorted((right / "tsv").rglob("*.tsv")):
        other = mine / path.relative_to(right)
        if not other.exists() or other.read_bytes() != path.read_bytes():
            result.different += 1
            result.details.append(f"{path.relative_to(right)} differs")
    left = [*(place.folder / "tmp").iterdir(), *mine.rglob("*.tmp")]
    left += [mine / "_staging"] * (mine / "_staging").exists()
    result.leftovers += len(left)
    result.details += [f"left: {path}" for path in left[:5]]


_COLUMNS: Final = {
    "images": ("eolMediaURL", "dataObjectVersionID", "outcome", "content_sha256"),
    "scores": ("content_sha256", "model_version", "scores"),
    "tags": ("task", "bundle", "bundle_row", "eolMediaURL", "outcome", "tag", "rule", "label", "confidence"),
}
"""Table -> columns that do not depend on when they were found."""


def _rows(output: Path, name: str) -> "Counter[tuple[Any, ...]]":
    """The rows of a table, each with how often it stands there; answers of an image that agree count once."""
    rows = pq.read_table(output / name, partitioning="hive").select(list(_COLUMNS[name])).to_pylist()
    found = Counter(tuple(str(value) for value in row.values()) for row in rows)
    return Counter(set(found)) if name == "images" else found


def undisturbed(place: Place, story: str) -> None:
    """Play a story without kills."""
    for words in _STORIES[story][1]:
        result = Told(story)
        _ended(place, place.command(story, story, words), result)
        if result.details:
            sys.exit(f"error: the undisturbed run of {story} failed: {'; '.join(result.details)}")


def main() -> int:
    """Prints the table; exit code 1 where it shows a fault."""
    parser = ArgumentParser(
        prog="python -m benchmarks.chaos.kills", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=51, metavar="N", help="over all stories (default 51)")
    parser.add_argument("--images", type=int, default=1000, metavar="N", help="default 1,000")
    parser.add_argument("--requests-per-s", type=float, default=150.0, metavar="R", help="what the server allows")
    parser.add_argument("--stories", nargs="+", default=list(_STORIES), choices=list(_STORIES))
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the moments (default 1)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="eoltag-chaos-"))
    try:
        draw(folder / "pictures", options.images)
        with Loopback(folder / "pictures") as server:
            place = prepare(folder, server, options.images, options.requests_per_s)
            print(_HEADER, flush=True)
            faults = 0
            for number, story in enumerate(options.stories):
                undisturbed(place, story)
                result = told(place, story, options.kills // len(options.stories), options.seed + number, server)
                print("\n    ".join([result.row(), *result.details[:12]]), flush=True)
                faults += result.faults
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
