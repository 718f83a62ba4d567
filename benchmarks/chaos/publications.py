"""Readers beside publications: DuckDB and pyarrow read without a pause while others decide, publish, compact and die.

    make chaos-publish ARGS="--publications 30 --kills 12 --rows 20000"

A worker decides by another threshold, publishes and now and then compacts, again and again; it is killed (SIGKILL) at
random moments and started anew. Two readers count the tags, by `published/current.json` and in `tags/`. Every answer
must be that of one decision: the threshold tells how many rows each tag has. Exit code 1 where one was not.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.compute as pc
import pyarrow.dataset as ds

from benchmarks.deciding import TASK, write_output
from tests.support.paths import ROOT

_READERS: Final = ("duckdb", "pyarrow")
_PLACES: Final = ("published", "tags")
_COMPACT_EVERY: Final = 5
_EXAMPLES: Final = 3


@dataclass(slots=True)
class Read:
    """What one reader has seen in one place."""

    right: int = 0
    mixtures: int = 0
    """Answers that no decision gives."""
    errors: int = 0
    """A file that was gone when it was opened, and the like: said aloud, so that one asks again."""
    examples: list[str] = field(default_factory=list)


def threshold(number: int) -> float:
    """That of a publication."""
    return 1.5 + number / 100


def right_answers(folder: Path, count: int) -> set[int]:
    """How many rows are tagged `bad`, by each threshold."""
    scores = f"read_parquet('{folder}/out/scores/*/*.parquet')"
    cuts = ", ".join(
        f"count(*) FILTER (scores[1] > scores[2] AND scores[1] > CAST({threshold(number)} AS FLOAT))"
        for number in range(count)
    )
    found = duckdb.connect().execute(f"SELECT {cuts} FROM {scores}").fetchone()
    assert found is not None
    return {int(number) for number in found}


def work(folder: Path, first: int, count: int) -> None:
    """Publish from number `first` on; the number that is done stands in `done`."""
    from eoltag.spark.runtime.command import run_command
    from jobs import compact_tables, decide_tags, publish_tags

    os.chdir(folder)
    for number in range(first, count):
        Path("rating.toml").write_text(TASK.replace("1.5F", f"{threshold(number)}F"), encoding="utf-8")
        steps: list[tuple[Callable[..., int], list[str]]] = [
            (decide_tags.main, ["--task", "rating.toml", "--output", "out"]),
            (publish_tags.main, ["out", "--task", "rating.toml", "--max-flip-rate", "1", "--keep", "3"]),
        ]
        if number % _COMPACT_EVERY == 0:
            steps.append((compact_tables.main, ["--output", "out"]))
        for main, words in steps:
            code = run_command(lambda main=main, words=words: main(arguments=words))  # type: ignore[misc]
            if code:
                sys.exit(f"{words}: exit code {code}")
        Path("done").write_text(str(number + 1))


def read(folder: Path, reader: str, right: set[int]) -> None:
    """Count tags until the file `stop` is there; what was seen goes to READER.json."""
    seen = {place: Read() for place in _PLACES}
    count = _by_duckdb if reader == "duckdb" else _by_pyarrow
    while not (folder / "stop").exists():
        for place, told in seen.items():
            _look(folder, place, count, right, told)
    (folder / f"{reader}.json").write_text(json.dumps({place: asdict(told) for place, told in seen.items()}))


def _look(folder: Path, place: str, count: Callable[[str], int], right: set[int], told: Read) -> None:
    version = ""
    try:
        if place == "published":
            version = json.loads((folder / "out/published/current.json").read_text())["version"]
            bad = count(f"{folder}/out/published/{version}/tags/task=rating")
            manifest = json.loads((folder / "out/published" / version / "manifest.json").read_text())
            is_right = bad == manifest["tasks"]["rating"]["tags"].get("bad", 0)
        else:
            bad = count(f"{folder}/out/tags/task=rating")
            is_right = bad in right
    except Exception as problem:  # whatever a library raises
        told.errors += 1
        told.examples = [*told.examples, f"{version} {problem}"[:200]][:_EXAMPLES]
        return
    if is_right:
        told.right += 1
    else:
        told.mixtures += 1
        told.examples = [*told.examples, f"{version} {bad} rows"][:_EXAMPLES]


def _by_duckdb(path: str) -> int:
    found = duckdb.connect().execute(f"SELECT count(*) FILTER (tag = 'bad') FROM read_parquet('{path}/*.parquet')")
    return int(found.fetchall()[0][0])


def _by_pyarrow(path: str) -> int:
    table = ds.dataset(path, format="parquet").to_table(columns=["tag"])
    return int(pc.sum(pc.equal(table["tag"], "bad")).as_py() or 0)


def supervise(folder: Path, publications: int, kills: int, seed: int) -> int:
    """Start the worker again and again until all is published; returns how often it was killed."""
    chance, killed = random.Random(seed), 0
    while _done(folder) < publications:
        command = [sys.executable, "-m", "benchmarks.chaos.publications", "--work", str(folder)]
        words = ["--first", str(_done(folder)), "--publications", str(publications)]
        with (folder / "work.log").open("a") as log:
            worker = subprocess.Popen(command + words, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
        try:
            worker.wait(chance.uniform(8, 40) if killed < kills else 3600)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            killed += 1
            continue
        if worker.returncode:
            sys.exit(
                f"the worker ended with exit code {worker.returncode}:\n{(folder / 'work.log').read_text()[-2000:]}"
            )
    return killed


def _done(folder: Path) -> int:
    return int((folder / "done").read_text())


def told_as_table(seen: Mapping[str, Mapping[str, Mapping[str, object]]]) -> str:
    """A row for each reader and place."""
    lines = ["reader   place      right answers  mixtures  errors"]
    for reader, places in seen.items():
        for place, told in places.items():
            lines.append(f"{reader:<8} {place:<10} {told['right']:>13,} {told['mixtures']:>9} {told['errors']:>7}")
            lines += [f"    {example}" for example in told["examples"]]  # type: ignore[attr-defined]
    return "\n".join(lines)


def main() -> int:
    """Print a table; returns the exit code."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--publications", type=int, default=30)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, metavar="DIR", help="be the worker")
    parser.add_argument("--first", type=int, default=0, help="of the worker: where to go on")
    parser.add_argument("--read", choices=_READERS, help="be a reader")
    parser.add_argument("--folder", type=Path, help="of the reader")
    options = parser.parse_args()
    properties = f"--properties-file {ROOT}/conf/spark/local.conf pyspark-shell"
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", f"--master local[2] {properties}")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_CONF_DIR", f"{ROOT}/conf/spark")
    if options.work is not None:
        work(options.work, options.first, options.publications)
        return 0
    if options.read is not None:
        read(options.folder, options.read, right_answers(options.folder, options.publications))
        return 0
    with tempfile.TemporaryDirectory(prefix="eoltag-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_output(folder, options.rows)
        (folder / "done").write_text("0")
        work(folder, 0, 1)  # the first publication, so that there is something to read
        started = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.chaos.publications", "--folder", name]
        words = ["--publications", str(options.publications)]
        readers = [subprocess.Popen([*command, *words, "--read", reader], cwd=ROOT) for reader in _READERS]
        try:
            killed = supervise(folder, options.publications, options.kills, options.seed)
        finally:
            (folder / "stop").touch()
            for reader in readers:
                reader.wait()
        seen = {reader: json.loads((folder / f"{reader}.json").read_text()) for reader in _READERS}
    print(f"{options.publications} publications, {killed} kills, {time.monotonic() - started:.0f} s")
    print(told_as_table(seen))
    published = [places["published"] for places in seen.values()]
    is_bad = any(told["errors"] or told["mixtures"] for told in published) or any(
        places["tags"]["mixtures"] for places in seen.values()
    )
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
