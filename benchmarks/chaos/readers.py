"""Readers that go round and round while tags are decided again: at any moment they find the old or the new ones."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from benchmarks.chaos.comparing import compare
from benchmarks.chaos.place import SHORT, SHORT_IMAGES, Place, ended, undisturbed
from benchmarks.chaos.told import Told

MARK: Final = "other-"
"""What the second rule puts before each tag."""

Tags = list[str]


def _by_pyarrow(output: Path) -> Tags:
    return [str(tag) for tag in pq.read_table(output / "tags/task=one")["tag"].to_pylist()]


def _by_dataset(output: Path) -> Tags:
    return [str(tag) for tag in ds.dataset(output / "tags", partitioning="hive").to_table()["tag"].to_pylist()]


def _by_duckdb(output: Path) -> Tags:
    found = duckdb.connect().sql(f"SELECT tag FROM read_parquet('{output}/tags/*/*.parquet')").fetchall()
    return [str(tag) for (tag,) in found]


def _by_tsv(output: Path) -> Tags:
    query = f"SELECT tag FROM read_csv('{output}/tsv/*/*_finaltags.tsv', delim='\t', header=true)"
    return [str(tag) for (tag,) in duckdb.connect().sql(query).fetchall()]


READERS: Final[dict[str, Callable[[Path], Tags]]] = {
    "pyarrow": _by_pyarrow, "dataset": _by_dataset, "duckdb": _by_duckdb, "tsv": _by_tsv,
}  # fmt: skip


def looping(place: Place, times: int) -> Told:
    """Decide with one rule and the other in turns, and come back to the first."""
    undisturbed(place, "short", place.tag("short", "one", urls=SHORT))
    told = Told("readers")
    output = place.output("read")
    shutil.copytree(place.output("short"), output)
    is_over, readings = threading.Event(), [0]

    def loop(name: str) -> None:
        while not is_over.is_set():
            try:
                tags = READERS[name](output)
            except Exception as problem:  # of any kind: a reader must not see one
                told.wrongly(f"{name}: {problem!r}")
                continue
            readings[0] += 1
            if len(tags) != SHORT_IMAGES or len({tag.startswith(MARK) for tag in tags}) != 1:
                told.wrongly(f"{name}: {len(tags)} rows, {sum(tag.startswith(MARK) for tag in tags)} of the new ones")

    threads = [threading.Thread(target=loop, args=(name,), daemon=True) for name in READERS]
    for thread in threads:
        thread.start()
    try:
        for number in range(2 * times):
            place.write_task("one", f"'{MARK}' || label" if number % 2 == 0 else "label")
            told.blows += 1
            ended(place, place.decide("read", "one"), told)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        place.write_task("one")
    told.details.append(f"({readings[0]:,} readings)")
    compare(place, "short", "read", told)
    return told
