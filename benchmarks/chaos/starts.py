"""Two runs that are started together: one goes on, the other is refused in one line, no image is asked for twice."""

import shutil
from collections import Counter

from benchmarks.chaos.comparing import compare
from benchmarks.chaos.place import Place, lines_of, start, undisturbed, waited
from benchmarks.chaos.told import Told
from eoltag.errors import ExitCode
from tests.support.loopback import Loopback


def together(place: Place, server: Loopback, times: int) -> Told:
    """Start two runs over one output, so many times."""
    undisturbed(place, "fetching", place.tag("fetching", "one"))
    told = Told("two starts")
    for _ in range(times):
        shutil.rmtree(place.output("twice"), ignore_errors=True)
        asked = Counter(server.requests)
        command, logs = place.tag("twice", "one"), [place.folder / f"log-{number}.txt" for number in range(2)]
        jobs = [start(place, command, log) for log in logs]
        told.starts, told.blows = told.starts + 2, told.blows + 1
        ends = sorted((job.wait(), lines_of(log)) for job, log in zip(jobs, logs, strict=True))
        waited(place, jobs[0], told)
        codes, lines = [code for code, _ in ends], [said for _, said in ends]
        if codes != [0, int(ExitCode.UNUSABLE)]:
            told.wrongly(f"exit codes {codes}")
        if len(lines[1]) != 1 or "is at work here" not in lines[1][0]:
            told.wrongly(f"the refused one says: {' | '.join(lines[1])}")
        told.asked_again += sum(number - 1 for number in (Counter(server.requests) - asked).values())
        compare(place, "fetching", "twice", told)
    if told.asked_again:
        told.wrongly(f"{told.asked_again} images were asked for twice")
    return told
