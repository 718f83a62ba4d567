"""Where chaos takes place: pictures, lists, packages, tasks and settings, and commands whose processes bear a mark."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.chaos.told import Told
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_based_package

PATIENCE_S: Final = 120.0
"""For a run to end that was struck; one that takes longer hangs."""
_SMALL: Final = 1_000
"""Images of a run that takes a minute or two, on a slow machine too."""
_SETTLE_S: Final = 15.0
"""For what a process has started to end by itself."""
_TASKS: Final = {"one": ("one", 1, 0), "two": ("two", 2, 0), "other": ("other", 3, 1)}
"""Task -> package, seed of its head, seed of its base."""
_RULE: Final = '[[rules]]\nname = "any"\nwhen = "confidence >= 0"\ntag_sql = "{tag}"\n'
_WAVES: Final = "first_wave_images = 200\nwave_s = 2\nfirst_task_images = 50"
KEPT: Final = "[reuse]\nfeatures = true\npixels = 64\n"
"""Settings under which later tasks need no request."""
LIST: Final = "list.txt"
SHORT: Final = "short/list.txt"
"""The first pictures only; of the same name, so that the bundle has the same."""
SHORT_IMAGES: Final = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Lists, tasks, packages, and outputs by name."""

    folder: Path
    end_s: float = 4 * PATIENCE_S
    """For a whole run that nothing disturbs; one that takes longer hangs."""

    @property
    def temporary(self) -> Path:
        """TMPDIR of the runs, and of nobody else."""
        return self.folder / "tmp"

    def output(self, name: str) -> Path:
        """An output directory."""
        return self.folder / f"out-{name}"

    def tag(
        self,
        output: str,
        *tasks: str,
        settings: str = "plain",
        urls: str = LIST,
        job: str = "jobs/tag_bundles.py",
        conf: tuple[str, ...] = (),
    ) -> list[str]:
        """The command that tags a list."""
        files = [str(self.folder / f"{name}.toml") for name in tasks]
        spark = [word for pair in conf for word in ("--conf", pair)]
        given = ["--bundle", str(self.folder / urls), "--task", *files, "--output", str(self.output(output))]
        config = ["--config", str(self.folder / f"settings-{settings}.toml"), "--quiet", "--allow-private-hosts"]
        return [str(ROOT / "spark-submit.sh"), "--master", "local[2,4]", *spark, job, *given, *config]

    def decide(self, output: str, task: str) -> list[str]:
        """The command that decides a task again."""
        given = ["--task", str(self.folder / f"{task}.toml"), "--output", str(self.output(output))]
        return [str(ROOT / "spark-submit.sh"), "--master", "local[2,4]", "jobs/decide_tags.py", *given]

    def compact(self, output: str) -> list[str]:
        """The command that joins small files."""
        given = ["--output", str(self.output(output)), "--rows-per-file", "100000"]
        return [str(ROOT / "spark-submit.sh"), "--master", "local[2,4]", "jobs/compact_tables.py", *given]

    def write_task(self, name: str, tag: str = "label") -> None:
        """A task whose only rule gives every image a tag. tag: SQL."""
        package = _TASKS[name][0]
        text = f'name = "{name}"\nmodels.main.package = "{package}"\n{_RULE.format(tag=tag)}'
        (self.folder / f"{name}.toml").write_text(text)

    def write_settings(self, name: str, requests_per_s: float, more: str = "") -> None:
        """Settings of runs in small waves. more: tables of TOML."""
        fetch = f"fetch.requests_per_s = {requests_per_s}\nfetch.hosts = {{}}\n"
        (self.folder / f"settings-{name}.toml").write_text(f"{fetch}[run]\n{_WAVES}\n{more}")


def prepare(folder: Path, server: Loopback, images: int, requests_per_s: float) -> Place:
    """Lists, packages, tasks and settings; the server's files must lie in folder/pictures."""
    place = Place(folder, 4 * PATIENCE_S * max(1, images / _SMALL))
    place.temporary.mkdir()
    for name, (package, seed, base) in _TASKS.items():
        write_tiny_based_package(folder / package, ("a", "b", "c"), seed, base)
        place.write_task(name)
    place.write_settings("plain", requests_per_s)
    place.write_settings("kept", requests_per_s, KEPT)
    urls = [server.url(f"/files/{number}.png") for number in range(images)]
    (folder / "short").mkdir()
    (folder / LIST).write_text("\n".join(urls) + "\n")
    (folder / SHORT).write_text("\n".join(urls[:SHORT_IMAGES]) + "\n")
    return place


def draw(folder: Path, images: int) -> None:
    """Pictures that are all different."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number in range(images):
        Image.fromarray(generator.integers(0, 255, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")


def start(place: Place, command: list[str], log: Path | None = None, **more: str) -> "subprocess.Popen[bytes]":
    """A command in a session of its own, whose processes bear a mark. log: gets its stderr. more: environment."""
    with (log or Path(os.devnull)).open("wb") as errors:
        return subprocess.Popen(
            command,
            cwd=place.folder,
            env={**os.environ, "TMPDIR": str(place.temporary), "CHAOS": str(place.folder), **more},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have switched Ctrl-C off
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


def waited(place: Place, job: "subprocess.Popen[bytes]", told: Told, patience_s: float = PATIENCE_S) -> int:
    """The exit code of a command; one that hangs is told of, and ended."""
    try:
        job.wait(patience_s)
    except subprocess.TimeoutExpired:
        told.hangs += 1
        told.details.append(f"hangs: {' '.join(str(word) for word in list(job.args)[3:6])}")  # type: ignore[arg-type]
        kill(place, "group", random.Random(0))
        job.wait()
    settle(place, told)
    return job.returncode


def settle(place: Place, told: Told) -> None:
    """Wait for what a process has started to end by itself; what does not is an orphan."""
    until = time.monotonic() + _SETTLE_S
    while (left := marked(place)) and time.monotonic() < until:
        time.sleep(0.05)
    told.orphans += len(left)
    told.details += [f"orphan: {line[:150]}" for line in left.values()]
    kill(place, "group", random.Random(0))


def ended(place: Place, command: list[str], told: Told) -> None:
    """Let a command come to its end, which must be a good one."""
    told.starts += 1
    log = place.folder / "log.txt"
    code = waited(place, start(place, command, log), told, place.end_s)
    if code:
        told.wrongly(f"exit code {code} of the last run: {' | '.join(lines_of(log)[-2:])}")


def lines_of(log: Path) -> list[str]:
    """What a command has written on stderr."""
    return log.read_text(errors="replace").splitlines()


def undisturbed(place: Place, output: str, *commands: list[str]) -> None:
    """Run commands to their ends, unless their output is there; the program ends where one fails."""
    if place.output(output).exists():
        return
    for command in commands:
        told = Told(output)
        ended(place, command, told)
        if told.faults:
            shutil.rmtree(place.folder, ignore_errors=True)
            sys.exit(f"error: the undisturbed run {output} failed: {'; '.join(told.details)}")
