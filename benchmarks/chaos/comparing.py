"""Whether an output directory holds what an undisturbed run holds: rows, scores to the bit, TSV files to the byte."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from benchmarks.chaos.place import Place
from benchmarks.chaos.told import Told
from eoltag.records import TRANSIENT

_COLUMNS: Final = {
    "images": ("eolMediaURL", "dataObjectVersionID", "outcome", "content_sha256"),
    "scores": ("content_sha256", "model_version", "scores"),
    "tags": ("task", "bundle", "bundle_row", "eolMediaURL", "outcome", "tag", "rule", "label", "confidence"),
}
"""Table -> columns that do not depend on when they were found."""

Row = tuple[Any, ...]


def compare(place: Place, right: str, mine: str, told: Told, is_extra: Callable[[Row], bool] | None = None) -> None:
    """Count what differs between two outputs, and what killed runs have left.

    is_extra: a row that only the disturbed one has; where there are such, TSV files are not compared.
    """
    for name in _COLUMNS:
        found, wanted = rows_of(place.output(mine), name), rows_of(place.output(right), name)
        found = Counter({row: count for row, count in found.items() if is_extra is None or not is_extra(row)})
        told.lost += sum((wanted - found).values())
        told.doubled += sum(count - 1 for count in found.values())
        told.different += len(set(found) - set(wanted))
    if is_extra is None:
        _compare_files(place.output(right), place.output(mine), told)
    left = [*place.temporary.iterdir(), *place.output(mine).rglob("*.tmp")]
    left += [place.output(mine) / "_staging"] * (place.output(mine) / "_staging").exists()
    told.leftovers += len(left)
    told.details += [f"left: {path}" for path in left[:5]]


def _compare_files(right: Path, mine: Path, told: Told) -> None:
    for path in sorted((right / "tsv").rglob("*.tsv")):
        other = mine / path.relative_to(right)
        if not other.exists() or other.read_bytes() != path.read_bytes():
            told.different += 1
            told.details.append(f"{path.relative_to(right)} differs")


def rows_of(output: Path, name: str) -> "Counter[Row]":
    """The rows of a table, each with how often it stands there.

    Answers of an image that agree count once, and failures that may pass are left out: images are asked again for both.
    """
    if not (output / name).exists():
        return Counter()
    rows = pq.read_table(output / name, partitioning="hive").select(list(_COLUMNS[name])).to_pylist()
    found = Counter(tuple(str(value) for value in row.values()) for row in rows)
    if name != "images":
        return found
    return Counter({row for row in found if row[2] not in TRANSIENT})
