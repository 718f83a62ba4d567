"""Kills at random moments of runs, of reuse and of compaction, and before every change of an output directory.

A story is some commands, one after the other, over one output directory: tag; a second and a third task from stored
features and pictures; compact. Each command is started again and again, and its process group, its JVM or one of its
Python processes is killed (SIGKILL) at a random moment, until the kills of the story are used up; then it may end.
One that ends although a Python process was killed ends its story, which begins again where kills are left.

Points are the moments just before the driver changes something in the output directory. For each, a run is killed
there, and a second one may end.
"""

import random
import shutil
import subprocess
from collections import Counter
from itertools import count
from typing import Final

from benchmarks.chaos.comparing import compare
from benchmarks.chaos.place import SHORT, Place, ended, kill, settle, start, undisturbed, waited
from benchmarks.chaos.told import Told
from tests.support.loopback import Loopback
from tests.support.paths import ROOT

_TARGETS: Final = ("group", "java", "python")
_LAST_MOMENT_S: Final = 14.0
DYING: Final = str(ROOT / "benchmarks/chaos/dying.py")
STORIES: Final = ("fetching", "reuse", "compaction")


def commands_of(place: Place, story: str, output: str) -> list[list[str]]:
    """The commands of a story, one after the other."""
    if story == "fetching":
        return [place.tag(output, "one")]
    first = place.tag(output, "one", settings="kept")
    if story == "reuse":
        return [first, place.tag(output, "two", settings="kept"), place.tag(output, "other", settings="kept")]
    return [first, place.tag(output, "one", "two", settings="kept"), place.compact(output)]


def told(place: Place, story: str, kills: int, seed: int, server: Loopback) -> Told:
    """Play a story with kills, and hold its end against the undisturbed one; again, until the kills are used up."""
    undisturbed(place, story, *commands_of(place, story, story))
    draw_from, result = random.Random(seed), Told(f"kill: {story}"[:12])
    mine = f"{story}-killed"
    while result.blows < kills:
        shutil.rmtree(place.output(mine), ignore_errors=True)
        asked = Counter(server.requests)
        _play(place, commands_of(place, story, mine), kills, draw_from, result)
        requests = Counter(server.requests) - asked
        result.asked_again += sum(number - 1 for number in requests.values())
        compare(place, story, mine, result)
    return result


def _play(place: Place, commands: list[list[str]], kills: int, draw_from: random.Random, result: Told) -> None:
    """A story once. Each command takes its share of the kills that are left, unless one of them lets it end."""
    share = (kills - result.blows) // len(commands)
    for number, command in enumerate(commands):
        until = kills if number == len(commands) - 1 else result.blows + share
        while result.blows < until and not _killed(place, command, draw_from, result):
            pass
        ended(place, command, result)


def _killed(place: Place, command: list[str], draw_from: random.Random, result: Told) -> bool:
    """Start a command and kill it, or some process of it, at a random moment; True when it was done all the same."""
    result.starts += 1
    job, target = start(place, command), draw_from.choice(_TARGETS)
    try:
        job.wait(draw_from.uniform(1.0, _LAST_MOMENT_S))
    except subprocess.TimeoutExpired:
        hit = kill(place, target, draw_from)
        result.blows += bool(hit)
        if not hit:  # none of its kind has started yet
            kill(place, "group", draw_from)
            result.blows += 1
        try:
            job.wait(place.end_s)  # without one of its Python processes it goes on to its end
        except subprocess.TimeoutExpired:
            result.hangs += 1
            result.details.append(f"{' '.join(command[3:6])}: hangs after SIGKILL of {target}")
            kill(place, "group", draw_from)
            job.wait()
    settle(place, result)
    return job.returncode == 0


def points(place: Place, step: int, first: int = 1) -> Told:
    """Kill a run before change `first`, `first` + `step`, ... of its output, each time with a new output directory."""
    undisturbed(place, "short", place.tag("short", "one", urls=SHORT))
    result = Told("kill: points")
    for number in count(first, step):
        output = f"points-{number}"
        result.starts += 1
        command = place.tag(output, "one", urls=SHORT, job=DYING)
        code = waited(place, start(place, command, CHAOS_DIES_AT=str(number)), result)
        if code == 0:  # it has not so many
            shutil.rmtree(place.output(output))
            return result
        result.blows += 1
        ended(place, place.tag(output, "one", urls=SHORT), result)
        before = result.faults
        compare(place, "short", output, result)
        if result.faults > before:
            result.details.append(f"(killed before change {number})")
        shutil.rmtree(place.output(output))
    return result
